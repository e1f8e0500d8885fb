// @ts-check
import { Signal } from './signal.js';
import { isOfTwo, isTalk, Talk } from './talk.js';
import { Timeline } from './timeline.js';

const PAGE = 80;
const AROUND = 80;
/** Refusals of a join that pass: it is tried again by itself. */
const PASSING = new Set(['busy', 'rate_limited', 'storage', 'internal']);
const AGAIN_SECONDS = 3;

/**
 * One room as this browser follows it: joins, resumes where it stood, counts every seq, and joins
 * again when one is missing. `state` is away · joining · replaying · live · refused.
 * `changed` tells {what}: state · entries · reset · present · talk · mode.
 */
export class Room {
  changed = new Signal();
  timeline = new Timeline();
  state = 'away';
  refusal = null;
  you = [];
  mode = {};
  present = null;
  oldest = 1;
  #request;
  #cursor = null;
  /** Personas whose messages are folded away for this doctor. */
  ignored = new Set();
  /** How many may read here: {members, thin}. */
  crowd = null;
  /** A face worn for the next message alone. */
  once = null;
  /** Whether the face is shown with its whole badge. */
  exact = false;
  /** What was changed in a consult since one read it, [{seq, target}], as the last join told. */
  changes = [];
  /** The seqs of what is pinned, the newest last. */
  pins = [];
  /** What only a talk has; null in every other room. */
  talk = null;
  #chosen;
  #next = 0;
  #attempt = 0;
  #waiting = [];

  constructor(id, request) {
    this.id = id;
    this.#request = request;
    if (isTalk(id)) this.talk = this.#talk();
  }

  get head() {
    return this.timeline.head;
  }

  /** The face one speaks with here: {id, name, badge, as}; undefined before the first join. */
  get face() {
    return this.once ?? this.you.find((face) => face.id === this.#chosen) ?? this.you[0];
  }

  /** Own other faces that spoke in the thread of `seq`, as far as it is known here. */
  othersIn(seq, face) {
    const root = this.#rootOf(seq);
    const said = this.timeline.between(root, Infinity).filter((one) => one.by && this.isMine(one) && one.by.id !== face.id);
    return new Map(said.filter((one) => this.#rootOf(one.seq) === root).map(({ by }) => [by.id, by]));
  }

  /** Whether one has spoken in the thread of `seq`, as far as it is known here. */
  spokeIn(seq) {
    return this.othersIn(seq, {}).size > 0;
  }

  /** Speaks here with another face from now on: what `join`, `face` and `retire` answer. */
  wear({ you = [], face, exact = false }) {
    this.you = you.map((one) => (typeof one === 'string' ? { id: one } : one));
    this.#chosen = face?.id ?? this.you.find((one) => one.as === face)?.id ?? this.you[0]?.id;
    [this.exact, this.once] = [exact, null];
    this.changed.emit({ what: 'present' });
  }

  /** Speaks with `face` once, then as before; null takes it back. */
  wearOnce(face) {
    if (face && !this.you.some((one) => one.id === face.id)) this.you.push(face);
    this.once = face?.id === this.#chosen ? null : face;
    this.changed.emit({ what: 'present' });
  }

  /** Folds away what these personas say here. */
  ignore(personas) {
    this.ignored = new Set(personas);
    this.changed.emit({ what: 'present' });
  }

  get joined() {
    return this.state === 'replaying' || this.state === 'live';
  }

  isMine({ by, hidden }) {
    const id = by?.id ?? hidden?.by;
    return !!id && this.you.some((face) => face.id === id);
  }

  /** Follows the room from where it stood. A refusal is kept, not thrown. */
  async join() {
    const attempt = ++this.#attempt;
    const since = this.#cursor ? { since: this.#cursor.seq, last: this.#cursor.id } : {};
    this.#enter('joining');
    try {
      const ok = await this.#request('join', { room: this.id, ...since });
      if (attempt === this.#attempt) this.#joined(ok);
    } catch (refusal) {
      if (attempt === this.#attempt) this.#refused(refusal, attempt);
    }
  }

  /** The line broke, or nobody looks at the room any more. */
  part() {
    this.#attempt += 1;
    this.#enter('away');
  }

  /** @returns {Promise<void>} when commands may be sent; throws why the room may not be entered */
  ready() {
    if (this.joined) return Promise.resolve();
    if (this.state === 'refused') return Promise.reject(this.refusal);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  receive(frame) {
    if (frame.op === 'presence') this.#meet(frame.present);
    else if (!this.joined) return;
    else if (frame.op === 'seen' || frame.op === 'writing') this.talk?.receive(frame);
    else if (frame.op === 'event') this.#follow(frame);
    else if (frame.op === 'reset') this.#reset(frame);
    else if (frame.op === 'live') this.#enter('live');
  }

  /** Loads what came before `seq`. @returns {Promise<boolean>} whether there was anything */
  older(seq) {
    return this.#load({ before: seq, limit: PAGE });
  }

  newer(seq) {
    return this.#load({ after: seq, limit: PAGE });
  }

  around(seq, limit = AROUND) {
    return this.#load({ around: seq, limit });
  }

  async #load(where) {
    const page = await this.#request('history', { room: this.id, ...where });
    this.oldest = page.oldest;
    this.timeline.add(page.events);
    if (page.events.length) this.changed.emit({ what: 'entries', events: [] });
    return page.events.length > 0;
  }

  #joined({ from, oldest, you, face, exact, mode, present, rule, ignored = [], crowd, talk, changes = [], pins = [] }) {
    this.#next = from;
    this.timeline.head = from - 1;
    this.oldest = oldest;
    this.ignored = new Set(ignored);
    this.crowd = isOfTwo(this.id) ? null : crowd ?? null; // of two, none is hidden among others
    const { once } = this;
    this.wear({ you, face, exact });
    this.once = once;
    this.mode = mode ?? {};
    this.present = present ?? null;
    Object.assign(this, { rule, changes, pins });
    if (talk) this.talk?.joined(talk);
    this.#enter('replaying');
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #refused(refusal, attempt) {
    if (refusal.code === 'lost') return this.#enter('away');
    if (PASSING.has(refusal.code)) {
      const again = () => attempt === this.#attempt && this.join();
      setTimeout(again, (refusal.retryAfter ?? AGAIN_SECONDS) * 1000);
      return this.#enter('away');
    }
    this.refusal = refusal;
    this.#enter('refused');
    for (const { reject } of this.#waiting.splice(0)) reject(refusal);
  }

  #follow(event) {
    if (event.seq < this.#next) return;
    if (event.seq > this.#next) return this.#mend(event);
    this.#next += 1;
    this.#cursor = { seq: event.seq, id: event.id };
    this.timeline.head = event.seq;
    this.timeline.add([event]);
    if (event.kind === 'end') this.#ended();
    else if (/^mod/.test(event.kind)) this.#moderated(event);
    else if (event.kind === 'say' && !this.isMine(event)) this.talk?.spoke();
    this.changed.emit({ what: 'entries', events: [event], live: this.state === 'live' });
  }

  #ended() {
    this.mode = { ...this.mode, frozen: true };
    this.talk?.ended();
    this.changed.emit({ what: 'talk' });
  }

  #moderated({ kind, target, on, mode, reason }) {
    if (kind === 'mod.restore') this.around(target, 1).catch(() => {});
    if (kind === 'mod.pin') this.pins = [...this.pins.filter((seq) => seq !== target), ...(on ? [target] : [])];
    if (kind === 'mod.mode') this.mode = mode;
    if (kind === 'mod.close') this.mode = { ...this.mode, frozen: true, closed: true };
    this.changed.emit({ what: 'mode' });
  }

  #talk() {
    const signal = (op, fields) => this.#request(op, { room: this.id, ...fields }).catch(() => {});
    return new Talk({ signal, changed: () => this.changed.emit({ what: 'talk' }) });
  }

  #mend(event) {
    console.warn(`lounge: expected ${this.#next} in ${this.id}, got ${event.seq}; joining again`);
    this.join();
  }

  // The server no longer has what we stood at, or is a restored one: what we hold proves nothing.
  #reset({ reason }) {
    this.timeline = new Timeline();
    this.timeline.head = this.#next - 1;
    this.#cursor = null;
    this.changed.emit({ what: 'reset', reason });
  }

  #rootOf(seq) {
    let root = seq;
    for (let entry = this.timeline.get(seq); entry?.reply_to; entry = this.timeline.get(root)) root = entry.reply_to;
    return root;
  }

  #meet(present) {
    this.present = present;
    this.changed.emit({ what: 'present' });
  }

  #enter(state) {
    this.state = state;
    this.changed.emit({ what: 'state' });
  }
}

