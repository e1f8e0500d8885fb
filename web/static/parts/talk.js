// @ts-check
const SAID_AGAIN_MS = 4000;
const PAUSED_MS = 5000;
const OLD_MS = 8000;

/** Whether a room of that id is a talk: a thread of two. */
export function isTalk(id) {
  return id.startsWith('talk/');
}

/** Whether nobody but two read a room: a talk, a page. */
export function isOfTwo(id) {
  return /^(talk|page)\//.test(id);
}

/** Whether a room is in no list until one has been in it: a talk, a consult, a page. */
export function isUnlisted(id) {
  return /^(talk|consult|page)\//.test(id);
}

export function isConsult(id) {
  return id.startsWith('consult/');
}

/**
 * What a talk has beyond other rooms: who the other one is, whether it is over, and what is true of
 * them only now. `signal(op, fields)` passes on what is true of oneself; `changed()` hears of news.
 */
export class Talk {
  seen = 0;
  writing = false;
  #signal;
  #changed;
  #saidAt = 0;
  #pause = 0;
  #old = 0;

  constructor({ signal, changed }) {
    this.#signal = signal;
    this.#changed = changed;
  }

  /** As the answer to a join tells it. */
  joined({ other, origin, state, signals }) {
    Object.assign(this, { other, origin, state, signals });
    this.#hear(false);
  }

  /** What the other one signals. */
  receive({ op, seq, on }) {
    if (!this.signals) return;
    if (op === 'seen') this.seen = Math.max(this.seen, seq);
    else this.#hear(on);
    this.#changed();
  }

  /** The other one has said something: they write no longer. */
  spoke() {
    this.#hear(false);
  }

  ended() {
    this.state = 'closed';
    this.#hear(false);
  }

  saw(seq) {
    if (this.#may) this.#signal('seen', { seq });
  }

  /** One's own text has changed. Said again while it goes on, taken back when it rests. */
  wrote(text) {
    if (!this.#may) return;
    clearTimeout(this.#pause);
    if (!text.trim()) return this.#rest();
    this.#pause = setTimeout(() => this.#rest(), PAUSED_MS);
    if (Date.now() - this.#saidAt < SAID_AGAIN_MS) return;
    this.#saidAt = Date.now();
    this.#signal('writing', { on: true });
  }

  /** One's own switch has been turned. */
  turned(on) {
    this.signals = on;
    this.seen = 0;
    this.#hear(false);
    this.#changed();
  }

  get #may() {
    return this.signals && this.state === 'open';
  }

  #rest() {
    clearTimeout(this.#pause);
    if (this.#saidAt) this.#signal('writing', { on: false });
    this.#saidAt = 0;
  }

  // Whoever closes the page never says that they stopped.
  #hear(on) {
    clearTimeout(this.#old);
    this.writing = on;
    if (on) this.#old = setTimeout(() => (this.#hear(false), this.#changed()), OLD_MS);
  }
}
