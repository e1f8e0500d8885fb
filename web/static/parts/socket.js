// @ts-check
import { Signal } from './signal.js';
import { Refusal, SUBPROTOCOL, decode, encode, refusalOf } from './wire.js';

const BASE_MS = 500;
const CEILING_MS = 30_000;
const FLOOD_MS = 5_000;
const HANDSHAKE_MS = 10_000;
const ANSWER_MS = 10_000;
const GLANCE_MS = 4_000;
const STEADY_MS = 5_000;
const SIGNED_OUT = 4501;
const FLOOD = 4029;
const OPEN = 1;

/**
 * One line to the server that keeps itself up. `states` tells idle · connecting · open · waiting ·
 * away (do not come back: `code` says why); `frames` brings what nobody asked for.
 * `session()` answers 'in', 'out' or 'unknown': a browser sees a refused handshake only as 1006.
 */
export class Socket {
  state = { name: 'idle' };
  states = new Signal();
  frames = new Signal();
  welcome = null;
  #url;
  #session;
  #open;
  #random;
  #ws = null;
  #pending = new Map();
  #ref = 0;
  #attempt = 0;
  #bye = null;
  #heard = 0;
  #welcomed = 0;
  #timers = { retry: 0, silence: 0, answer: 0 };

  constructor({ url, session, open = (at) => new WebSocket(at, SUBPROTOCOL), random = Math.random }) {
    this.#url = url;
    this.#session = session;
    this.#open = open;
    this.#random = random;
  }

  start() {
    this.#connect();
  }

  stop() {
    this.#detach();
    this.#enter({ name: 'idle' });
    this.#rejectAll();
  }

  /** Look at once: the network came back, or the page came to the front. */
  check() {
    if (this.state.name === 'waiting') this.#connect();
    else if (this.state.name === 'open') this.#ping(GLANCE_MS);
  }

  /** @returns {Promise<any>} the `ok`; throws a Refusal, `lost` when the line broke before it */
  request(op, fields = {}) {
    if (this.state.name !== 'open') return Promise.reject(new Refusal('lost'));
    const ref = ++this.#ref;
    return new Promise((resolve, reject) => {
      this.#pending.set(ref, { resolve, reject });
      // A line that is closing takes nothing more; its close, which comes next, rejects this.
      if (this.#ws.readyState === OPEN) this.#ws.send(encode({ ...fields, op, ref }));
    });
  }

  #connect() {
    this.#detach();
    this.#enter({ name: 'connecting' });
    const ws = this.#open(this.#url);
    this.#ws = ws;
    ws.onmessage = ({ data }) => this.#receive(data);
    ws.onclose = ({ code }) => this.#parted(code);
    this.#timers.answer = setTimeout(() => this.#parted(1006), HANDSHAKE_MS);
  }

  #receive(data) {
    const frame = decode(data);
    this.#heard = Date.now();
    clearTimeout(this.#timers.answer);
    if (!frame) return;
    if (frame.op === 'ok' || frame.op === 'error') this.#settle(frame);
    else if (frame.op === 'welcome') this.#greet(frame);
    else if (frame.op === 'bye') this.#bye = frame.reconnect_in ?? 0;
    else this.frames.emit(frame);
  }

  #settle(frame) {
    const waiting = this.#pending.get(frame.ref);
    if (!waiting) {
      if (frame.op === 'error') console.warn('lounge: the server refused a frame', frame.code);
      return;
    }
    this.#pending.delete(frame.ref);
    if (frame.op === 'ok') waiting.resolve(frame);
    else waiting.reject(refusalOf(frame));
  }

  #greet(frame) {
    this.welcome = frame;
    this.#welcomed = Date.now();
    this.#bye = null;
    this.#listen((frame.heartbeat ?? 20) * 1000);
    this.#enter({ name: 'open' });
  }

  /** One timer, however many frames come: when it fires it looks how long it has been quiet. */
  #listen(quiet) {
    clearTimeout(this.#timers.silence);
    const left = this.#heard + quiet - Date.now();
    this.#timers.silence = setTimeout(() => {
      if (Date.now() - this.#heard >= quiet) this.#ping(ANSWER_MS);
      this.#listen(quiet);
    }, Math.max(left, 1000));
  }

  #ping(patience) {
    clearTimeout(this.#timers.answer);
    this.#timers.answer = setTimeout(() => this.#parted(1006), patience);
    this.request('ping').catch(() => {});
  }

  #parted(code) {
    const greeted = this.state.name === 'open';
    this.#detach();
    if (code >= 4500 && code < 5000) this.#enter({ name: 'away', code });
    else this.#wait(this.#delay(code, greeted), !greeted);
    this.#rejectAll();
  }

  async #wait(delay, ask) {
    this.#enter({ name: 'waiting', until: Date.now() + delay });
    this.#timers.retry = setTimeout(() => this.#connect(), delay);
    if (!ask || (await this.#session()) !== 'out' || this.state.name === 'idle') return;
    this.#detach();
    this.#enter({ name: 'away', code: SIGNED_OUT });
  }

  /** Full jitter, so that a thousand doctors do not come back in the same moment. */
  #delay(code, greeted) {
    if (greeted && Date.now() - this.#welcomed > STEADY_MS) this.#attempt = 0;
    const bye = this.#bye;
    this.#bye = null;
    if (bye !== null) return bye;
    const ceiling = Math.min(CEILING_MS, BASE_MS * 2 ** this.#attempt++);
    return this.#random() * ceiling + (code === FLOOD ? FLOOD_MS : 0);
  }

  /** Lets go of the line without waiting for its close, which a dead network never brings. */
  #detach() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    const ws = this.#ws;
    this.#ws = null;
    if (!ws) return;
    ws.onmessage = ws.onclose = null;
    ws.close();
  }

  #enter(state) {
    this.state = state;
    this.states.emit(state);
  }

  #rejectAll() {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(new Refusal('lost'));
  }
}
