// @ts-check
const SHOWN = new Set(['say', 'tombstone', 'notice', 'end', 'poll.open', 'consult.card', 'consult.open', 'consult.reveal', 'consult.decided', 'consult.outcome', 'page.open', 'page.widened', 'mod.mode', 'mod.close']);
const ACTS = new Set(['edit', 'react', 'redact', 'withdraw', 'poll.count', 'poll.close', 'consult.update', 'consult.merge', 'page.update', 'mod.hide', 'mod.restore', 'mod.caution']);

/**
 * What is known of one room's log, by seq: whatever the order in which pages and live events come,
 * the entries are the same. Runs are the stretches of seq without a hole.
 */
export class Timeline {
  #entries = new Map();
  #acts = new Map();
  #order = [];
  #runs = [];
  #pool = 0;
  /** The seq up to which live events were followed; 0 before the first join. */
  head = 0;

  /** Takes in events that ascend by one. */
  add(events) {
    if (!events.length) return;
    for (const event of events) this.#take(event);
    this.#cover(events[0].seq, events.at(-1).seq);
  }

  get(seq) {
    return this.#entries.get(seq);
  }

  /** The stretch without a hole around `seq`: {from, to}, or undefined. */
  run(seq) {
    return this.#runs.find((run) => run.from <= seq && seq <= run.to);
  }

  atHead(run) {
    return !!run && run.to >= this.head;
  }

  /** Up to `count` shown entries before `seq`, ascending, without stepping over a hole. */
  before(seq, count) {
    const floor = this.#reach(seq).from;
    const found = [];
    for (let i = this.#position(seq) - 1; i >= 0 && found.length < count; i -= 1) {
      if (this.#order[i] < floor) break;
      this.#show(this.#order[i], found);
    }
    return found.reverse();
  }

  /** Up to `count` shown entries after `seq`, ascending, without stepping over a hole. */
  after(seq, count) {
    const ceiling = this.#reach(seq).to;
    const found = [];
    for (let i = this.#position(seq + 1); i < this.#order.length && found.length < count; i += 1) {
      if (this.#order[i] > ceiling) break;
      this.#show(this.#order[i], found);
    }
    return found;
  }

  between(first, last) {
    const found = [];
    for (let i = this.#position(first); i < this.#order.length; i += 1) {
      if (this.#order[i] > last) break;
      this.#show(this.#order[i], found);
    }
    return found;
  }

  /** The newest shown entries, ascending. */
  latest(count) {
    return this.before(this.head + 1, count);
  }

  /** The own entry that an unsent item has become, as far as its text tells. */
  echo({ text, replyTo, since }, you, claimed) {
    return this.between(since + 1, Infinity).find((entry) => {
      const same = entry.text === text && entry.reply_to === replyTo;
      return same && you.has(entry.by?.id) && !claimed.has(entry.seq);
    });
  }

  #reach(seq) {
    return this.run(seq) ?? this.run(seq - 1) ?? this.run(seq + 1) ?? { from: seq, to: seq };
  }

  #take(event) {
    if (ACTS.has(event.kind)) this.#act(event);
    else if (SHOWN.has(event.kind)) this.#settle(event);
  }

  #act(event) {
    // A merge names no entry: it is about the pool, which a consult has one of.
    const target = event.target ?? this.#pool;
    const acts = this.#acts.get(target) ?? new Map();
    if (acts.has(event.seq)) return;
    this.#acts.set(target, acts.set(event.seq, event));
    const entry = this.#entries.get(target);
    if (entry) this.#entries.set(target, fold(entry, event));
  }

  #settle(given) {
    // Where a state is served without its date it is that of the head.
    const event = given.state && given.as_of === undefined ? { ...given, as_of: Math.max(this.head, given.seq) } : given;
    const known = this.#entries.get(event.seq);
    if (known && asOf(known) > asOf(event)) return;
    if (!known) this.#place(event.seq);
    if (event.kind === 'consult.reveal') this.#pooled(event.seq);
    const acts = [...(this.#acts.get(event.seq)?.values() ?? [])].sort((a, b) => a.seq - b.seq);
    // What was shown again is not hidden any more, however it was served.
    const back = acts.findLast(({ kind }) => kind === 'mod.restore')?.seq;
    this.#entries.set(event.seq, acts.filter(({ kind, seq }) => kind !== 'mod.hide' || !(seq < back)).reduce(fold, event));
  }

  #pooled(seq) {
    const early = this.#pool ? undefined : this.#acts.get(0);
    if (early) this.#acts.set(seq, early);
    this.#pool = seq;
  }

  #place(seq) {
    if (!this.#order.length || seq > this.#order.at(-1)) this.#order.push(seq);
    else this.#order.splice(this.#position(seq), 0, seq);
  }

  /** Index of the first shown seq that is not below `seq`. */
  #position(seq) {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#order[middle] < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The edits of a redacted entry are served as tombstones too, and look just like it. Where the
  // run reaches the head, the redaction is known: what it does not name was an edit.
  #show(seq, found) {
    const entry = this.#entries.get(seq);
    const nameless = entry.kind === 'tombstone' && !entry.role && !entry.hidden;
    if (!nameless || !this.atHead(this.run(seq))) found.push(entry);
  }

  #cover(from, to) {
    const apart = [];
    for (const run of this.#runs) {
      if (run.to < from - 1 || run.from > to + 1) apart.push(run);
      else [from, to] = [Math.min(from, run.from), Math.max(to, run.to)];
    }
    this.#runs = [...apart, { from, to }].sort((a, b) => a.from - b.from);
  }
}

/** The seq up to which an entry as served already contains what was done to it. */
function asOf(entry) {
  return entry.as_of ?? entry.seq;
}

function fold(entry, act) {
  if (act.kind === 'redact') return tombstone(entry, act);
  if (act.seq <= asOf(entry)) return entry;
  if (act.kind === 'mod.hide') return hidden(entry, act);
  if (act.kind === 'mod.restore' || entry.kind === 'tombstone') return entry;
  if (act.kind === 'mod.caution') return { ...entry, as_of: act.seq, caution: act };
  if (entry.kind !== 'say') return told(entry, act);
  if (act.kind === 'withdraw') return { ...entry, as_of: act.seq, withdrawn: act.seq };
  if (act.kind === 'edit') return edited(entry, act);
  return { ...entry, as_of: act.seq, reactions: counted(entry.reactions, act) };
}

/** What was read before stays known: a consult shows it, struck through. */
function edited(entry, { seq, at, text }) {
  const versions = [...(entry.versions ?? []), { at, text: entry.text }];
  return { ...entry, as_of: seq, text, edited: seq, versions };
}

/** A card, a poll or a pool, with what is told of it later laid over it. */
function told(entry, { kind, op, room, seq, id, at, by, target, ...news }) {
  const before = kind === 'consult.merge' ? { ...entry, cells: undefined, single: undefined } : entry;
  return { ...before, ...news, as_of: seq, ...(kind === 'poll.close' && { closed: seq }) };
}

function tombstone({ seq, id, at }, { by, reason }) {
  return { kind: 'tombstone', seq, id, at, role: by?.role ?? 'author', reason };
}

/** Its words go at once; a restored entry is asked for anew. Its author still knows it for hers. */
function hidden(entry, { by: { role }, reason, pending }) {
  const { kind, seq, id, at, by, hidden: was } = entry;
  if (kind === 'tombstone' && !was) return entry;
  return { kind: 'tombstone', seq, id, at, hidden: { role, reason, pending, by: by?.id ?? was?.by } };
}

function counted(reactions = {}, { emoji, on }) {
  const count = (reactions[emoji] ?? 0) + (on ? 1 : -1);
  const { [emoji]: _, ...others } = reactions;
  return count > 0 ? { ...reactions, [emoji]: count } : others;
}
