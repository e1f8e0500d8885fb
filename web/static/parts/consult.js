// @ts-check
import { fold } from './points.js';

/** Whoever opened a *now* case reads each opinion as it comes: how often her page asks. */
const EARLY_MS = 5000;
const AGAIN_MS = 3000;

/**
 * A consult as one doctor knows it: the case, how it stands, her own ballot, what was changed since she
 * read it. `act(op, fields)` asks the server.
 */
export class Consult {
  /** Her ballot, {ranked, why}, or null. */
  own = null;
  /** What the author of a *now* case may read before the close: [{ranked, why, badge}]. */
  early = [];
  suggestions = [];
  /** What was written in its forms and not sent, by form; gone with the page. */
  kept = {};
  /** Whether the server has said what her ballot is. */
  known = false;
  #room;
  #act;
  #changed = () => {};
  #asked = '';
  #timer = 0;
  #changes = new Map();
  #told = [];

  constructor({ room, act }) {
    this.#room = room;
    this.#act = act;
  }

  /** From now on `changed()` hears of news. */
  listen(changed) {
    this.#changed = changed;
  }

  get case() {
    return this.#room.timeline.get(1);
  }

  get state() {
    return this.case?.state ?? {};
  }

  get phase() {
    return this.state.phase;
  }

  get isSealed() {
    return this.phase === 'open';
  }

  /** Whether she may give an opinion: not once she has read the others'. */
  get mayOpine() {
    return this.isSealed && this.known && !this.own && !(this.isAuthor && this.case.urgency === 'now');
  }

  get isAuthor() {
    return !!this.case && this.#room.isMine(this.case);
  }

  /** The newest entry of a kind, as far as it is known here. */
  last(kind) {
    return this.#room.timeline.between(1, Infinity).findLast((entry) => entry.kind === kind);
  }

  /** What others said here, to choose from what helped. */
  get answers() {
    return this.#room.timeline.between(2, Infinity).filter((entry) => entry.kind === 'say' && !entry.withdrawn && !this.#room.isMine(entry));
  }

  /** The change of `seq` that is still to be acknowledged: its own seq, or undefined. */
  changeOf(seq) {
    return this.#changes.get(seq);
  }

  get unseen() {
    return [...this.#changes.keys()].sort((a, b) => a - b);
  }

  /** Looks again at what the room knows; asks the server for what only she may know. */
  follow() {
    if (this.#room.state !== 'live') return;
    if (this.#told !== this.#room.changes) this.#tell(this.#room.changes);
    if (!this.case) return this.#fetchCase();
    const asked = `${this.phase} ${this.#room.you[0]?.id} ${this.isAuthor && this.state.opinions}`;
    if (asked !== this.#asked) this.#ask(asked);
    this.#keepAsking();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  /** A correction or withdrawal of what another said and one has read. */
  heard(event) {
    if (event.kind !== 'edit' && event.kind !== 'withdraw') return;
    const entry = this.#room.timeline.get(event.target);
    if (!entry || this.#room.isMine(entry)) return;
    this.#changes.set(event.target, event.seq);
    this.#changed();
  }

  async acknowledge(target) {
    await this.#act('ack', { seq: this.#changes.get(target) });
    this.#changes.delete(target);
    this.#changed();
  }

  async opine({ ranked, why }) {
    const given = { ranked, ...(why && { why }) };
    await this.#act('opine', given);
    this.own = given;
    this.#changed();
  }

  async unopine() {
    await this.#act('unopine');
    this.own = null;
    this.#changed();
  }

  /** Her own place for a label of the pool: 1, 2, 3, or 0. */
  placeOf(label, names = [label]) {
    const wanted = new Set([label, ...names].map(plain));
    return (this.own?.ranked ?? []).findIndex((one) => wanted.has(plain(one))) + 1;
  }

  #tell(changes) {
    this.#told = changes;
    this.#changes = new Map(changes.map(({ seq, target }) => [target, seq]));
    this.#changed();
  }

  async #ask(asked) {
    this.#asked = asked;
    try {
      const { own = null, opinions = [], suggestions = [] } = await this.#act('opinions');
      if (same([own, opinions, suggestions, true], [this.own, this.early, this.suggestions, this.known])) return;
      Object.assign(this, { own, early: opinions, suggestions, known: true });
      this.#changed();
    } catch {
      setTimeout(() => this.#asked === asked && (this.#asked = ''), AGAIN_MS);
    }
  }

  #fetchCase() {
    if (this.#asked === 'case') return;
    this.#asked = 'case';
    this.#room.around(1, 1).catch(() => setTimeout(() => (this.#asked = ''), AGAIN_MS));
  }

  #keepAsking() {
    const early = this.isAuthor && this.isSealed && this.case.urgency === 'now';
    if (!early) return this.leave();
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.#asked = '';
      this.follow();
    }, EARLY_MS);
  }
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

function plain(text) {
  return fold(text).replace(/\s+/g, ' ').trim();
}
