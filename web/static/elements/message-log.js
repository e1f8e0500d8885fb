// @ts-check
import { Stretch } from '../parts/stretch.js';
import { midnight, words } from '../parts/words.js';
import { makeRow, updateRow } from './message-row.js';
import { button, h, icon, tell, write } from './dom.js';

const NEAR = 600;
const AT_END = 40;
const GROUP_MS = 5 * 60_000;

/**
 * The log of one room, a stretch of it at a time. Whatever changes, everything is drawn by one pass
 * that keeps nodes by key and the reader's eye where it was.
 */
export class MessageLog extends HTMLElement {
  #view = null;
  #stretch = null;
  #pinned = true;
  #anchor = null;
  #begins = false;
  #seen = 0;
  #fresh = 0;
  #paging = false;
  #depth = 0;
  #due = 0;
  #nodes = new Map();
  #shown = new Map();
  #asked = new Set();
  #unfolded = new Set();

  connectedCallback() {
    if (this.firstChild) return;
    this.top = h('p', { class: 'log-top' });
    this.rows = h('div', { class: 'rows' });
    this.unsent = h('div', { class: 'unsent' });
    this.after = h('div', { class: 'after' });
    this.scroller = h('div', { class: 'scroller', tabindex: '0', role: 'log', 'aria-live': 'off', 'aria-label': words.t('room.log') }, this.top, this.rows, this.unsent, this.after);
    this.jump = button('', () => this.toEnd({ focus: true }), { class: 'jump', hidden: true });
    this.append(this.scroller, this.jump);
    this.scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.scroller.addEventListener('keydown', (event) => this.#key(event));
    this.rows.addEventListener('unfold', ({ detail }) => this.#unfold(detail.seq));
    this.rows.addEventListener('focusin', ({ target }) => this.#rove(target.closest('.row')));
    // What is fetched late grows above what was gone to: until the reader moves, it stays where it was put.
    const settle = new ResizeObserver(() => (this.#pinned ? this.#bottom() : this.#anchor?.()));
    for (const name of ['wheel', 'touchmove', 'pointerdown', 'keydown']) this.scroller.addEventListener(name, () => ([this.#anchor, this.#begins] = [null, false]), { passive: true });
    settle.observe(this.scroller);
    settle.observe(this.rows);
    settle.observe(this.unsent);
    settle.observe(this.after);
  }

  /**
   * Shows a room. `view` is {room, address, items(), reacted(seq), titleOf(id), act(op, fields), moderator};
   * `unread` says were made since the doctor left it, or -1 when that is not known.
   */
  open(view, unread) {
    this.#view = view;
    this.#nodes.clear();
    this.#shown.clear();
    this.#asked.clear();
    this.#unfolded.clear();
    this.rows.replaceChildren();
    this.unsent.replaceChildren();
    this.actions?.leave();
    this.#fresh = 0;
    [this.#anchor, this.#begins] = [null, false];
    this.unread = unread;
    this.awayAt = undefined;
    this.#stretch = new Stretch(view.room);
    this.#pinned = true;
    this.draw();
  }

  get view() {
    return this.#view;
  }

  get atEnd() {
    return this.#pinned && this.#stretch.follows;
  }

  /** The first replay is done, or the log came anew: stand at its end, or where the new begins. */
  restart(toFresh) {
    this.#toLatest();
    this.draw();
    const fresh = toFresh && this.rows.querySelector('.fresh');
    if (fresh && fresh.getBoundingClientRect().top < this.scroller.getBoundingClientRect().top) {
      this.#pinned = false;
      this.#put(() => fresh.scrollIntoView({ block: 'start' }));
    }
    this.#scrolled();
  }

  /** Something changed; drawn with the next frame, however much comes until then. */
  changed() {
    if (this.#due || !this.#view) return;
    // Nobody is drawn to in a page that is not in sight, and no frame would come.
    const soon = document.hidden ? (done) => setTimeout(done, 300) : requestAnimationFrame;
    this.#due = 1;
    soon(() => {
      this.#due = 0;
      if (this.#view) this.draw();
    });
  }

  /** From here on what comes is new: the doctor looked away. */
  lookedAway() {
    this.#fresh = 0;
    this.unread = 0;
    this.awayAt = this.#view?.room.head;
  }

  toEnd({ focus = false } = {}) {
    this.#toLatest();
    this.draw();
    this.#bottom();
    if (focus) this.lastRow?.focus({ preventScroll: true });
  }

  /** Puts the reader at the beginning, where there is nothing to jump from until she moves. */
  toTop() {
    [this.#pinned, this.#begins] = [false, true];
    this.#put(() => (this.scroller.scrollTop = 0));
    this.#marker();
  }

  #put(place) {
    this.#anchor = place;
    place();
  }

  /** Puts `seq` in the middle, with what was said around it. @returns {Promise<boolean>} found */
  async land(seq) {
    const stretch = this.#stretch;
    const found = await stretch.to(seq);
    if (!found || stretch !== this.#stretch) return false;
    this.#pinned = false;
    this.draw();
    return this.#point(seq);
  }

  get lastRow() {
    return this.rows.querySelector(':scope > .row:last-child');
  }

  draw() {
    const entries = this.#stretch.entries(this.#pinned);
    const eye = this.#eye();
    this.#tidy(this.#layout(entries));
    const { items, room } = this.#view;
    this.unsent.replaceChildren(...(this.pendingRow ? items().map((item) => this.pendingRow(item, room)) : []));
    write(this.top, this.#topWords(entries));
    this.#marker();
    if (this.#pinned) this.#bottom();
    else this.#restore(eye);
    this.#rove(this.rows.contains(document.activeElement) ? null : this.lastRow);
    tell(this, 'drawn');
    if (!this.actions && entries.length) setTimeout(() => this.#equip());
  }

  /** What can be done with a row is fetched once there is one. */
  async #equip() {
    const { RowActions } = await import('./row-actions.js').catch(() => ({}));
    if (RowActions) this.actions ??= new RowActions(this);
  }

  #toLatest() {
    this.#stretch.toLatest();
    [this.#pinned, this.#anchor] = [true, null];
  }

  /** What stands in the log from top to bottom: [{key, make}]. */
  #layout(entries) {
    const pieces = [];
    const fresh = this.#freshFrom(entries);
    let above = null;
    for (const entry of entries) {
      const newDay = !above || midnight(above.at) !== midnight(entry.at);
      if (newDay) pieces.push(this.#day(entry));
      if (entry.seq === fresh) pieces.push({ key: 'fresh', make: freshLine });
      const grouped = !newDay && entry.seq !== fresh && sameBreath(above, entry);
      pieces.push({ key: entry.seq, make: () => this.#row(entry, grouped) });
      above = entry;
    }
    return pieces;
  }

  #day({ at }) {
    const made = () => h('h3', { class: 'day' }, words.day(at));
    return { key: `day ${midnight(at)}`, make: (node) => (node ? (write(node, words.day(at)), node) : made()) };
  }

  /** The first entry that is new since the doctor left, found once and then kept. */
  #freshFrom(entries) {
    if (this.#fresh) return this.#fresh;
    const { room } = this.#view;
    const says = entries.filter((entry) => entry.kind !== 'tombstone');
    if (this.awayAt !== undefined) {
      this.#fresh = says.find((entry) => entry.seq > this.awayAt && !room.isMine(entry))?.seq ?? 0;
    } else if (this.unread > 0 && room.state === 'live') {
      this.#fresh = says.slice(-this.unread).find((entry) => !room.isMine(entry))?.seq ?? 0;
    }
    return this.#fresh;
  }

  #row(entry, grouped) {
    const { room, address, beside, reacted, titleOf } = this.#view;
    const quoted = entry.reply_to && room.timeline.get(entry.reply_to);
    if (entry.reply_to && !quoted) this.#ask(entry.reply_to);
    const mine = room.isMine(entry);
    const own = mine || entry.reactions ? reacted(entry.seq) : [];
    const folded = entry.kind === 'say' && room.ignored.has(entry.by.id) && !this.#unfolded.has(entry.seq);
    const look = { grouped, mine, folded, quoted, address, beside, reacted: own, titleOf, log: this.#view };
    const before = this.#shown.get(entry.seq);
    this.#shown.set(entry.seq, { entry, grouped, mine, folded, quoted, beside, own: own.join() });
    const row = this.#nodes.get(entry.seq);
    if (!row) return makeRow(entry, look);
    const same = entry.kind !== 'notice' && before?.entry === entry && before.grouped === grouped && before.quoted === quoted && before.beside === beside;
    if (!same || before.mine !== mine || before.folded !== folded || before.own !== own.join()) updateRow(row, entry, look);
    return row;
  }

  /** Fetches, once, an entry that a reply quotes and that lies outside what is loaded. */
  #ask(seq) {
    const { room } = this.#view;
    if (this.#asked.has(seq) || !room.joined) return;
    this.#asked.add(seq);
    room.around(seq, 1).catch(() => this.#asked.delete(seq));
  }

  #unfold(seq) {
    this.#unfolded.add(seq);
    this.draw();
    this.#nodes.get(seq)?.focus({ preventScroll: true });
  }

  /** Puts the pieces in place: nodes are kept by key, the others go. */
  #tidy(pieces) {
    const nodes = new Map(pieces.map(({ key, make }) => [key, make(this.#nodes.get(key))]));
    for (const [key, node] of this.#nodes) {
      if (nodes.get(key) !== node) node.remove();
      if (!nodes.has(key)) this.#shown.delete(key);
    }
    let at = this.rows.firstChild;
    for (const node of nodes.values()) {
      if (node === at) at = at.nextSibling;
      else this.rows.insertBefore(node, at);
    }
    this.#nodes = nodes;
  }

  #topWords(entries) {
    const { room } = this.#view;
    if (room.state === 'away' || room.state === 'joining') return entries.length ? '' : words.t('room.loading');
    if (room.state === 'replaying' && !entries.length) return words.t('room.loading');
    if (!entries.length) return room.id === 'me' ? words.t('room.no_notices') : words.t('room.empty');
    if (this.#paging) return words.t('room.loading_earlier');
    return this.#stretch.beginsAt(entries[0].seq) ? words.t('room.beginning') : '';
  }

  #scrolled() {
    if (!this.#view) return;
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    const below = scrollHeight - scrollTop - clientHeight;
    // Only who moved up has left the end: a composer that grows moves nobody.
    const stayed = this.#pinned && scrollTop >= this.#depth;
    this.#pinned = this.#stretch.follows && (stayed || below < AT_END);
    this.#depth = scrollTop;
    this.#marker();
    if (this.#pinned) tell(this, 'drawn');
    if (scrollTop < NEAR) this.#page('up');
    else if (below < NEAR && !this.#stretch.follows) this.#page('down');
  }

  /** One page at a time: what moves the scroller must not race with itself. */
  async #page(way) {
    if (this.#paging || !this.#view.room.joined) return;
    this.#paging = true;
    const stretch = this.#stretch;
    const turned = await stretch[way]().catch(() => false);
    this.#paging = false;
    if (stretch !== this.#stretch) return;
    this.draw();
    if (turned) this.#scrolled();
  }

  /** The row at the top of what is in sight, and where it stands. */
  #eye() {
    if (this.#pinned) return null;
    const { top } = this.scroller.getBoundingClientRect();
    for (const row of this.rows.querySelectorAll('.row')) {
      const box = row.getBoundingClientRect();
      if (box.bottom > top) return { row, top: box.top };
    }
    return null;
  }

  #restore(eye) {
    if (!eye?.row.isConnected) return;
    const moved = eye.row.getBoundingClientRect().top - eye.top;
    if (Math.abs(moved) >= 1) this.scroller.scrollTop += moved;
  }

  #bottom() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#depth = this.scroller.scrollTop;
  }

  #marker() {
    const { room } = this.#view;
    if (this.atEnd) this.#seen = room.head;
    this.jump.hidden = this.atEnd;
    if (this.atEnd) return;
    const news = room.timeline.between(this.#seen + 1, Infinity).filter((entry) => !room.isMine(entry)).length;
    this.jump.hidden = this.#begins;
    const label = news ? words.count('room.jump_new', news) : words.t('room.jump');
    if (this.jump.textContent !== label) this.jump.replaceChildren(icon('down'), label);
  }

  #point(seq) {
    const row = this.#nodes.get(seq);
    if (!row) return false;
    this.#put(() => row.scrollIntoView({ block: row.offsetHeight < this.scroller.clientHeight ? 'center' : 'start' }));
    row.classList.add('landed');
    row.addEventListener('blur', () => row.classList.remove('landed'), { once: true });
    row.focus({ preventScroll: true });
    return true;
  }

  /** Of all rows one is in the tab order; the arrows lead to the others. */
  #rove(row) {
    if (!row || row.tabIndex === 0) return;
    for (const other of this.rows.querySelectorAll('.row[tabindex="0"]')) other.tabIndex = -1;
    row.tabIndex = 0;
  }

  #key(event) {
    const row = event.target.closest?.('.row');
    if (!row || event.target !== row || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...this.rows.querySelectorAll('.row')];
    const step = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return this.actions ? this.actions.key(event, row) : this.#equip().then(() => this.actions?.key(event, row));
    const to = Math.min(all.length - 1, Math.max(0, all.indexOf(row) + step));
    event.preventDefault();
    all[to].focus({ preventScroll: true });
    all[to].scrollIntoView({ block: 'nearest' });
  }
}

function freshLine(node) {
  return node ?? h('p', { class: 'fresh' }, h('span', {}, words.t('room.fresh')));
}

/** Whether two entries are one speaker going on. */
function sameBreath(above, entry) {
  if (above?.kind !== 'say' || entry.kind !== 'say' || above.by.id !== entry.by.id) return false;
  return Date.parse(entry.at) - Date.parse(above.at) < GROUP_MS;
}

customElements.define('message-log', MessageLog);
