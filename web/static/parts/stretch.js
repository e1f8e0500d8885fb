// @ts-check
const MOST = 300;
const FIRST = 80;
const PAGE = 60;

/**
 * The part of a room's log that is on the page, `first` to `last` by seq: never more than about
 * 300 entries, never across a hole. `last` is Infinity while it follows what comes.
 */
export class Stretch {
  #room;
  #first = 0;
  #last = Infinity;

  constructor(room) {
    this.#room = room;
    this.toLatest();
  }

  get follows() {
    return this.#last === Infinity;
  }

  toLatest() {
    this.#first = this.#timeline.latest(FIRST)[0]?.seq ?? 0;
    this.#last = Infinity;
  }

  /** The entries, cut to size at the end that the reader does not look at. */
  entries(atEnd) {
    const all = this.#timeline.between(this.#first, this.#last);
    if (all.length <= MOST) return all;
    const kept = atEnd ? all.slice(-2 * FIRST) : all.slice(0, MOST);
    if (atEnd) this.#first = kept[0].seq;
    else this.#last = kept.at(-1).seq;
    return kept;
  }

  /** Moves to what was said around `seq`. @returns {Promise<boolean>} whether it is still kept */
  async to(seq) {
    if (this.#isLone(seq)) await this.#room.around(seq).catch(() => {});
    if (!this.#timeline.get(seq)) return false;
    this.#first = this.#timeline.before(seq, PAGE)[0]?.seq ?? seq;
    this.#endWith(this.#timeline.after(seq, PAGE).at(-1)?.seq ?? seq);
    return true;
  }

  /** Takes in a page of older entries. @returns {Promise<boolean>} whether there was one */
  async up() {
    const first = this.#first || this.#timeline.latest(1)[0]?.seq;
    if (!first || this.beginsAt(first)) return false;
    const page = await this.#fetched(
      () => this.#timeline.before(first, PAGE),
      () => this.#timeline.run(first)?.from > this.#room.oldest && this.#room.older(this.#timeline.run(first).from),
    );
    this.#first = page[0]?.seq ?? first;
    return true;
  }

  /** Takes in a page of newer entries, and lets go of as many old ones. */
  async down() {
    const last = this.#last;
    const page = await this.#fetched(
      () => this.#timeline.after(last, PAGE),
      () => !this.#timeline.atHead(this.#timeline.run(last)) && this.#room.newer(this.#timeline.run(last)?.to ?? last),
    );
    this.#endWith(page.at(-1)?.seq ?? last);
    const shown = this.#timeline.between(this.#first, this.#last);
    if (shown.length > MOST) this.#first = shown.at(-MOST).seq;
    return true;
  }

  /** Whether the room has nothing before this entry. */
  beginsAt(seq) {
    const from = this.#timeline.run(seq)?.from ?? 0;
    return !this.#timeline.before(seq, 1).length && from <= this.#room.oldest;
  }

  /** Whether too little is known around an entry to show it there: a reply may have fetched it alone. */
  #isLone(seq) {
    const run = this.#timeline.run(seq);
    const above = this.#timeline.before(seq, PAGE / 2).length === PAGE / 2 || run?.from <= this.#room.oldest;
    const below = this.#timeline.after(seq, PAGE / 2).length === PAGE / 2 || this.#timeline.atHead(run);
    return !run || !above || !below;
  }

  get #timeline() {
    return this.#room.timeline;
  }

  /** What is known, or becomes known while `more` brings something: a page may be all reactions. */
  async #fetched(known, more) {
    let page = known();
    while (!page.length && (await more())) page = known();
    return page;
  }

  #endWith(seq) {
    const ends = this.#timeline.atHead(this.#timeline.run(seq)) && !this.#timeline.after(seq, 1).length;
    this.#last = ends ? Infinity : seq;
  }
}
