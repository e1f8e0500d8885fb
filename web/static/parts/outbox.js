// @ts-check
import { Signal } from './signal.js';
import { newCid } from './wire.js';

/**
 * What was said and is not yet known to be stored. An item is {cid, room, you, as, text, replyTo, sort,
 * notPatient, at, state, since, seq?, error?, until?}; `state` is pending · waiting · sent · failed · held.
 * Items outlive a reload under the same cid, so that the server takes each once. Per room they go
 * out one after the other; one that was refused steps aside.
 */
export class Outbox {
  changed = new Signal();
  #items = [];
  #shelf;
  #deliver;
  #busy = new Set();

  /** `deliver(item, {waiting})` resolves with the `ok` of the say, or throws a Refusal. */
  constructor({ shelf, deliver }) {
    this.#shelf = shelf;
    this.#deliver = deliver;
  }

  of(room) {
    return this.#items.filter((item) => item.room === room);
  }

  post(said) {
    const { room } = said;
    this.#items.push({ ...said, cid: newCid(), at: new Date().toISOString(), state: 'pending' });
    this.#tell(room);
    this.#run(room);
  }

  retry(cid) {
    const item = this.#find(cid);
    if (item?.state !== 'failed') return;
    Object.assign(item, { state: 'pending', error: undefined });
    this.#tell(item.room);
    this.#run(item.room);
  }

  discard(cid) {
    const item = this.#find(cid);
    if (!item) return;
    item.state = 'discarded';
    this.#items = this.#items.filter((one) => one !== item);
    this.#tell(item.room);
  }

  /** Drops what the room's own log shows by now. */
  settle(room, has) {
    const shown = this.#items.filter((item) => item.room === room && item.seq && has(item.seq));
    if (!shown.length) return;
    this.#items = this.#items.filter((item) => !shown.includes(item));
    // They go out one after the other: what is left can only come after these.
    for (const item of this.of(room)) item.since = Math.max(item.since, ...shown.map(({ seq }) => seq));
    this.#tell(room);
  }

  /**
   * What to show of a room's unsent: not what the log shows already. Before its `ok` an own say is
   * known by its text only; that is enough to never show it twice.
   */
  unseen(room, you, timeline) {
    const claimed = new Set();
    return this.of(room).filter((item) => {
      if (!you.has(item.you)) return false;
      if (item.seq) return !timeline.get(item.seq);
      if (item.state !== 'pending') return true;
      const echo = timeline.echo(item, you, claimed);
      if (echo) claimed.add(echo.seq);
      return !echo;
    });
  }

  /** Takes up what an earlier page of this tab left unsent. */
  restore() {
    this.#items = this.#shelf.get('outbox', []);
    for (const item of this.#items) if (item.state === 'waiting') item.state = 'pending';
    for (const room of new Set(this.#items.map((item) => item.room))) this.#run(room);
  }

  #find(cid) {
    return this.#items.find((item) => item.cid === cid);
  }

  async #run(room) {
    if (this.#busy.has(room)) return;
    this.#busy.add(room);
    for (let item = this.#due(room); item; item = this.#due(room)) await this.#send(item);
    this.#busy.delete(room);
  }

  #due(room) {
    return this.#items.find((item) => item.room === room && item.state === 'pending');
  }

  async #send(item) {
    try {
      const ok = await this.#deliver(item, { waiting: (...why) => this.#wait(item, ...why) });
      this.#mark(item, { state: 'sent', seq: ok.seq, error: undefined });
    } catch (refusal) {
      const state = refusal.code === 'held_privacy' ? 'held' : 'failed';
      // Another doctor left this on the device: it is neither sent as this one nor shown.
      if (refusal.code === 'other_face') this.discard(item.cid);
      else this.#mark(item, { state, error: told(refusal) });
    }
  }

  /** The server asked for patience until `until`, or, without a refusal, patience is over. */
  #wait(item, refusal, until) {
    if (item.state === 'discarded') return false;
    const state = refusal ? 'waiting' : 'pending';
    this.#mark(item, { state, until, error: refusal ? told(refusal) : undefined });
    return true;
  }

  #mark(item, news) {
    if (item.state === 'discarded') return;
    Object.assign(item, news);
    this.#tell(item.room);
  }

  #tell(room) {
    this.#shelf.set('outbox', this.#items.filter((item) => item.state !== 'sent'));
    this.changed.emit(room);
  }
}

/** What is worth keeping of a refusal. */
function told({ code, words, spans }) {
  return { code, words, spans };
}
