// @ts-check
import { Followed } from './followed.js';
import { decode, encode } from './wire.js';

const OPEN = 1;
const CLOSED = 3;
const FIRST_MS = 10_000;
const POLL_MS = 35_000;
const QUIET_MS = 30_000;
const PACE_MS = 1_000;
const LIST_MS = 10_000;
const LOST = 1006;
const RESTART = 4012;
const FLOOD = 4029;
const SIGNED_OUT = 4501;

/**
 * A line in the shape of a WebSocket, for networks that let none through. Commands go out by POST;
 * frames come by one answer that does not end or, with `polls`, by one short answer after another.
 * The server remembers nothing between two of them: each is asked from where the last one ended.
 */
export class Stream {
  readyState = OPEN;
  onmessage = null;
  onclose = null;
  #polls;
  #followed = new Followed();
  #due = [];
  #reading = new AbortController();
  #ended = new AbortController();
  #greeted = false;
  #listed = 0;
  #heard = Date.now();
  #farewell = LOST;
  #timers = { first: 0, next: 0 };

  constructor({ polls = false } = {}) {
    this.#polls = polls;
    queueMicrotask(() => this.#read());
  }

  send(data) {
    const command = decode(data);
    if (command.op === 'join' || command.op === 'leave') this.#follow(command);
    else if (command.op === 'ping' && Date.now() - this.#heard > QUIET_MS) this.#end(LOST);
    else this.#ask(command);
  }

  close() {
    this.readyState = CLOSED;
    clearTimeout(this.#timers.first);
    clearTimeout(this.#timers.next);
    this.#ended.abort();
    this.#reading.abort();
  }

  /** Rooms that are joined or left in one go are one reason to ask again. */
  #follow(command) {
    this.#due.push(command);
    if (this.#due.length === 1) queueMicrotask(() => this.#reopen());
  }

  #reopen() {
    for (const command of this.#due.splice(0)) this.#followed.heed(command).forEach((answer) => this.#hand(answer));
    this.#read();
  }

  async #read() {
    this.#reading.abort();
    clearTimeout(this.#timers.next);
    if (this.readyState !== OPEN) return;
    const reading = (this.#reading = new AbortController());
    const started = Date.now();
    try {
      await this.#listen(reading.signal);
    } catch {
      if (!reading.signal.aborted) this.#end(LOST);
    }
    if (reading.signal.aborted) return;
    clearTimeout(this.#timers.first);
    if (!this.#polls || this.#farewell !== LOST) return this.#end(this.#farewell);
    this.#timers.next = setTimeout(() => this.#read(), started + PACE_MS - Date.now());
  }

  async #listen(signal) {
    const welcome = !this.#polls || this.#followed.pending || Date.now() - this.#listed > LIST_MS;
    if (welcome) this.#listed = Date.now();
    clearTimeout(this.#timers.first);
    this.#timers.first = setTimeout(() => this.#end(LOST, true), welcome ? FIRST_MS : POLL_MS);
    const answer = await post('/api/stream', { joins: this.#followed.joins(), poll: this.#polls, welcome }, signal);
    if (answer.ok) await this.#receive(answer.body.pipeThrough(new TextDecoderStream()).getReader(), signal);
    else this.#refused(answer);
  }

  async #receive(reader, signal) {
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      clearTimeout(this.#timers.first);
      this.#heard = Date.now();
      const events = (rest + value).split('\n\n');
      rest = events.pop();
      await this.#unpack(events, signal);
    }
  }

  async #unpack(events, signal) {
    for (const event of events) {
      if (signal.aborted) return;
      const frame = event.startsWith('data: ') ? decode(event.slice(6)) : null;
      if (!frame) continue;
      this.#take(frame);
      // Whoever waited for an answer goes on before the next frame comes, as it does by a socket.
      if (frame.op === 'ok') await nextTask();
    }
  }

  /** Cursors move only here, by what is handed on in the same breath. */
  #take(frame) {
    if (frame.op === 'bye') this.#farewell = frame.code ?? RESTART;
    const again = frame.op === 'welcome' && this.#greeted;
    this.#greeted ||= frame.op === 'welcome';
    const news = this.#followed.take(again ? { op: 'rooms', rooms: frame.rooms ?? [] } : frame);
    if (news) this.#hand(news);
  }

  #hand(frame) {
    if (this.readyState === OPEN) this.onmessage?.({ data: encode(frame) });
  }

  /** The stream itself may not be had: why, and for how long, as a socket would have been told. */
  #refused({ status, headers }) {
    const codes = { 401: SIGNED_OUT, 429: FLOOD, 503: RESTART };
    const seconds = Number(headers.get('Retry-After'));
    if (seconds && codes[status]) this.#hand({ op: 'bye', reconnect_in: seconds * 1000 });
    this.#end(codes[status] ?? LOST);
  }

  async #ask(command) {
    try {
      const answer = await post('/api/commands', command, this.#ended.signal);
      const told = await answer.json();
      if (answer.status === 401) this.#end(SIGNED_OUT);
      else if (answer.ok && told.op) this.#hand(told);
      else if (told.error) this.#hand({ ...told.error, op: 'error', ref: command.ref });
      else this.#end(LOST);
    } catch {
      this.#end(LOST);
    }
  }

  /** `silent`: the answer that should come bit by bit gave nothing in time. */
  #end(code, silent = false) {
    if (this.readyState !== OPEN) return;
    this.close();
    this.onclose?.({ code, silent });
  }
}

/** Timers would do, but for pages in the background they wait a second. */
function nextTask() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(null);
  });
}

function post(path, body, signal) {
  const headers = { 'Content-Type': 'application/json' };
  return fetch(path, { method: 'POST', headers, body: encode(body), cache: 'no-store', signal });
}
