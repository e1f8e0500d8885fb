// A client by somebody who has only read the protocol: Node's own WebSocket and fetch, nothing else.
//
//     node [--experimental-websocket] third_party.mjs URL EMAIL PASSWORD ROOM
//
// Signs in, joins, says five things, is cut off after the second, comes back and prints what it has, as
// JSON. Node's WebSocket takes headers where a browser's could not: here the cookie and the Origin that
// a browser would send by itself.

const [url, email, password, room] = process.argv.slice(2);

async function signIn() {
  const answer = await fetch(`${url}/api/session`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: url },
    body: JSON.stringify({ email, password }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.headers.get("set-cookie").split(";")[0];
}

class Line {
  constructor(cookie) {
    this.cookie = cookie;
    this.held = [];
    this.refs = 0;
    this.waiting = [];
  }

  async open(room) {
    this.socket = new WebSocket(url.replace("http", "ws") + "/ws", {
      protocols: ["lounge.v1.json"],
      headers: { cookie: this.cookie, origin: url },
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

const cookie = await signIn();
const reader = new Line(cookie);
const writer = new Line(cookie);
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
