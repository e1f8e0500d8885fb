// A client by somebody who has only read the protocol: Node's own WebSocket and fetch, nothing else.
//
//     node [--experimental-websocket] third_party.mjs URL EMAIL PASSWORD ROOM
//
// Signs in, makes a bearer token (programs send one; a browser's WebSocket could not), joins, says five
// things, is cut off after the second, comes back and prints what it has, as JSON.

const [url, email, password, room] = process.argv.slice(2);

async function api(path, body, cookie) {
  const answer = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", origin: url, ...(cookie && { cookie }) },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

class Line {
  constructor(token) {
    this.token = token;
    this.held = [];
    this.refs = 0;
    this.waiting = [];
  }

  async open(room) {
    this.socket = new WebSocket(url.replace("http", "ws") + "/ws", {
      protocols: ["lounge.v1.json"],
      headers: { authorization: `Bearer ${this.token}` },
    });
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    await this.sees((frame) => frame.op === "welcome");
    const last = this.held.at(-1);
    const live = this.sees((frame) => frame.op === "live");
    await this.command("join", { room, ...(last && { since: last.seq, last: last.id }) });
    await live;
  }

  take(frame) {
    if (frame.op === "event") {
      const last = this.held.at(-1);
      if (last && frame.seq !== last.seq + 1) throw new Error("a hole");
      this.held.push(frame);
    }
    this.waiting = this.waiting.filter(({ wanted, done }) => !(wanted(frame) && (done(frame), true)));
  }

  sees(wanted) {
    return new Promise((done) => this.waiting.push({ wanted, done }));
  }

  async command(op, fields) {
    const ref = ++this.refs;
    const answer = this.sees((frame) => frame.ref === ref);
    this.socket.send(JSON.stringify({ op, ref, ...fields }));
    const frame = await answer;
    if (frame.op !== "ok") throw new Error(JSON.stringify(frame));
    return frame;
  }
}

const session = await api("/api/session", { email, password });
const cookie = session.headers.get("set-cookie").split(";")[0];
const { token } = await (await api("/api/tokens", { label: "third party" }, cookie)).json();
const reader = new Line(token);
const writer = new Line(token);
await reader.open(room);
await writer.open(room);
for (let n = 0; n < 5; n++) {
  const heard = n < 2 && reader.sees((frame) => frame.text === `third party ${n}`);
  await writer.command("say", { room, cid: crypto.randomUUID(), text: `third party ${n}` });
  await heard;
  if (n === 1) {
    const closed = new Promise((done) => (reader.socket.onclose = done));
    reader.socket.close();
    await closed;
  }
}
await reader.open(room);
console.log(JSON.stringify(reader.held.map(({ seq, text }) => [seq, text])));
process.exit(0);
