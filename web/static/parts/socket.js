// @ts-check
import { Signal } from './signal.js';
import { Ways, lineBy } from './ways.js';
import { Refusal, decode, encode, refusalOf } from './wire.js';

const BASE_MS = 500;
const CEILING_MS = 30_000;
const FLOOD_MS = 5_000;
const HANDSHAKE_MS = 10_000;
const ANSWER_MS = 10_000;
const GLANCE_MS = 4_000;
const STEADY_MS = 5_000;
const ASKING_MS = 3_000;
const PROBE_MS = 300_000;
const OWN_CODES = 4000;
const SIGNED_OUT = 4501;
const FLOOD = 4029;
const LOST = 1006;
const OPEN = 1;

/**
 * One line to the server that keeps itself up. `states` tells idle · connecting · open (`way`: socket ·
 * stream · polls) · waiting · away (do not come back: `code` says why); `frames` brings what nobody
 * asked for. `session()` answers {is: 'in' · 'out' · 'unknown', retryAfter?: seconds}: a browser sees a
 * refused handshake only as 1006. `shelf` remembers the way that worked.
 */
export class Socket {
  state = { name: 'idle' };
  states = new Signal();
  frames = new Signal();
  welcome = null;
  #url;
  #session;
  #open;
  #ways;
  #random;
  #line = null;
  #turn = 0;
  #pending = new Map();
  #ref = 0;
  #attempt = 0;
  #bye = null;
  #heard = 0;
  #welcomed = 0;
  #probing = false;
  #probeDue = Date.now() + PROBE_MS;
  #calm = () => {};
  #timers = { retry: 0, silence: 0, answer: 0, probe: 0 };

  constructor({ url, session, shelf, open = lineBy, random = Math.random }) {
    this.#url = url;
    this.#session = session;
    this.#ways = new Ways(shelf);
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

  /** Another network, perhaps: look now, not in minutes, whether it lets a better way through. */
  improve() {
    this.#probeDue = 0;
    if (this.state.name === 'open') this.#foresee();
  }

  /** @returns {Promise<any>} the `ok`; throws a Refusal, `lost` when the line broke before it */
  request(op, fields = {}) {
    if (this.state.name !== 'open') return Promise.reject(new Refusal('lost'));
    const ref = ++this.#ref;
    return new Promise((resolve, reject) => {
      this.#pending.set(ref, { resolve, reject });
      // A line that is closing takes nothing more; its close, which comes next, rejects this.
      if (this.#line.readyState === OPEN) this.#line.send(encode({ ...fields, op, ref }));
    });
  }

  async #connect() {
    const turn = this.#detach();
    this.#enter({ name: 'connecting' });
    this.#timers.answer = setTimeout(() => this.#parted(LOST, true), HANDSHAKE_MS);
    const line = await this.#open(this.#ways.now, this.#url).catch(() => null);
    if (turn !== this.#turn) line?.close();
    else if (line) this.#attach(line);
    else this.#parted(LOST);
  }

  #attach(line) {
    this.#line = line;
    line.onmessage = ({ data }) => this.#receive(data);
    line.onclose = ({ code, silent }) => this.#parted(code, silent);
  }

  #receive(data) {
    const frame = decode(data);
    this.#heard = Date.now();
    clearTimeout(this.#timers.answer);
    if (!frame) return;
    if (frame.op === 'ok' || frame.op === 'error') this.#settle(frame);
    else if (frame.op === 'welcome') this.#greet(frame, this.#ways.now);
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
    if (!this.#pending.size) this.#calm();
  }

  #greet(frame, way) {
    this.welcome = frame;
    this.#welcomed = Date.now();
    this.#bye = null;
    this.#ways.worked(way);
    this.#listen((frame.heartbeat ?? 20) * 1000);
    this.#foresee();
    this.#enter({ name: 'open', way });
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
    this.#timers.answer = setTimeout(() => this.#parted(LOST), patience);
    this.request('ping').catch(() => {});
  }

  #foresee() {
    clearTimeout(this.#timers.probe);
    if (!this.#ways.better.length || this.#probing) return;
    this.#timers.probe = setTimeout(() => this.#probe(), Math.max(0, this.#probeDue - Date.now()));
  }

  /** Tries the better ways beside the one in use, and goes over at a moment when nothing is in the air. */
  async #probe() {
    this.#probing = true;
    const { probe } = await import('./probe.js').catch(() => ({}));
    const found = await probe?.(this.#ways.better, (way) => this.#open(way, this.#url));
    if (found) await this.#quiet();
    this.#probing = false;
    this.#probeDue = Date.now() + PROBE_MS;
    if (found?.line.readyState === OPEN && this.state.name === 'open') return this.#goOver(found);
    found?.line.close();
    if (this.state.name === 'open') this.#foresee();
  }

  #quiet() {
    return this.#pending.size ? new Promise((resolve) => (this.#calm = resolve)) : null;
  }

  /** Rooms resume on the new line from where they stand, so it matters not what the old one still held. */
  #goOver({ way, line, welcome }) {
    this.#detach();
    this.#attach(line);
    this.#heard = Date.now();
    this.#greet(welcome, way);
  }

  #parted(code, silent = false) {
    const greeted = this.state.name === 'open';
    const doubt = greeted && !silent ? null : { way: this.#ways.now, silent, blocked: code < OWN_CODES };
    this.#detach();
    if (code >= 4500 && code < 5000) this.#enter({ name: 'away', code });
    else this.#wait(this.#delay(code, greeted), doubt);
    this.#rejectAll();
  }

  /** Tries again after `delay`; in doubt, the server is asked first. Another way is tried at once. */
  async #wait(delay, doubt) {
    const turn = this.#turn;
    this.#enter({ name: 'waiting' });
    const told = doubt && (await Promise.race([this.#ask(doubt), pause(ASKING_MS)]));
    if (turn !== this.#turn) return;
    const anew = doubt && doubt.way !== this.#ways.now;
    this.#timers.retry = setTimeout(() => this.#connect(), (anew ? 0 : delay) + (told ?? 0));
  }

  /** @returns milliseconds for which the server wants to be left alone */
  async #ask({ way, silent, blocked }) {
    const { is, retryAfter = 0 } = await this.#session();
    if (is === 'in' && blocked) this.#ways.failed(way, silent);
    if (is === 'out' && this.state.name !== 'idle') {
      this.#detach();
      this.#enter({ name: 'away', code: SIGNED_OUT });
    }
    return retryAfter * 1000;
  }

  /** What the server asked for, and full jitter on top: a thousand doctors do not come back at once. */
  #delay(code, greeted) {
    if (greeted && Date.now() - this.#welcomed > STEADY_MS) this.#attempt = 0;
    const bye = this.#bye;
    this.#bye = null;
    if (bye !== null) return bye + this.#random() * BASE_MS;
    const ceiling = Math.min(CEILING_MS, BASE_MS * 2 ** this.#attempt++);
    return this.#random() * ceiling + (code === FLOOD ? FLOOD_MS : 0);
  }

  /** Lets go of the line without waiting for its close, which a dead network never brings. */
  #detach() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    const line = this.#line;
    this.#line = null;
    if (line) {
      line.onmessage = line.onclose = null;
      line.close();
    }
    return ++this.#turn;
  }

  #enter(state) {
    this.state = state;
    this.states.emit(state);
  }

  #rejectAll() {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(new Refusal('lost'));
    this.#calm();
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
