// @ts-check
import { isPending, paging } from '../parts/paging.js';
import { words } from '../parts/words.js';
import { button, h, icon, tell, write } from './dom.js';
import { once } from './fields.js';
import { later } from './later.js';
import { call, standing } from './page-words.js';

const MAY_END = new Set(['waiting', 'sent', 'delivered', 'seen', 'accepted', 'answered']);
const OPEN = new Set(['accepted', 'answered']);
/** Stands in the composer's place for the choice of a sort: nothing is written where nobody would read it. */
const NOBODY_READS = { isOpen: false, remove() {} };

/**
 * Under the log of a page, always in sight: whether it is formal and who the two are, where it stands, and the one
 * thing to do next. The composer is there while two read it.
 */
export class PageBar extends HTMLElement {
  #unlisten = () => {};
  #drawn = '';
  #begun = '';
  #recalled = '';

  connectedCallback() {
    if (this.firstChild) return;
    this.setAttribute('role', 'region');
    this.setAttribute('aria-label', words.t('page.bar'));
    this.line = h('p', { class: 'page-line' });
    this.standing = h('p', { class: 'page-standing', role: 'status' });
    this.next = h('div', { class: 'choices' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.append(this.standing, this.next, this.trouble, this.line);
  }

  disconnectedCallback() {
    this.#unlisten();
  }

  /** `view` as of the log; `around` is the room's {composer, changed()}. */
  open(view, around) {
    this.#unlisten();
    Object.assign(this, { view, around });
    [this.#drawn, this.#begun] = ['', ''];
    write(this.trouble, '');
    around.log.after.replaceChildren();
    this.#unlisten = paging.changed.on(({ what }) => what === 'formal' && this.#redraw());
    this.#redraw();
  }

  /** The room or its log has changed. */
  changed() {
    const page = this.#page;
    if (page && this.#key(page) !== this.#drawn) this.#redraw();
  }

  /** Nothing is sorted here. */
  write() {}

  get #page() {
    const first = this.view.room.timeline.get(1);
    return first?.kind === 'page.open' ? first : null;
  }

  #key({ state, seq }) {
    const { room } = this.view;
    return JSON.stringify([state, seq, this.#mine, this.#widened?.seq, room.state, room.timeline.latest(2).length]);
  }

  get #mine() {
    return this.view.room.isMine(this.#page);
  }

  #redraw() {
    const page = this.#page;
    if (!page) return;
    this.#drawn = this.#key(page);
    this.line.replaceChildren(...this.#lineOf(page));
    write(this.standing, standing(page));
    fill(this.next, this.#acts(page).filter(Boolean));
    this.#compose(OPEN.has(page.state.phase));
    this.#begin(page.state.phase);
  }

  /** While nothing was said the card is what there is to read, from its top; then what is said. */
  async #begin(phase) {
    const { room } = this.view;
    const isSaid = room.timeline.latest(2).length > 1;
    const begun = phase === 'unanswered' ? phase : isSaid ? 'said' : 'card';
    if (this.#begun === begun || room.state !== 'live') return;
    const before = this.#begun;
    this.#begun = begun;
    // A room in which something was said opens where any does.
    if (begun === 'said' && before !== 'card') return;
    await later('page-card');
    // The card is drawn by then; a room without one is as short as the screen, and counts as read to its end.
    requestAnimationFrame(() => {
      if (room === this.view.room) this.around.log[begun === 'said' ? 'toEnd' : 'toTop']();
    });
  }

  /** Once for each room: it draws anew what it finds. */
  #recall() {
    const { id } = this.view.room;
    if (this.#recalled === id) return;
    this.#recalled = id;
    paging.recall(id).catch(() => (this.#recalled = ''));
  }

  /** "Formal", with the other one's name and number, or "informal, peer opinion". */
  #lineOf({ state }) {
    const known = paging.formal.get(this.view.room.id);
    const accepted = !isPending(state) && state.stamps?.accepted;
    if (!known && state.formal && accepted) this.#recall();
    if (!state.formal || !accepted) return [h('b', {}, words.t('page.informal')), ' ', words.t(state.formal ? 'page.formal_if' : 'page.informal_why')];
    const who = known && [known.name, known.service].filter(Boolean).join(', ');
    return [icon('check'), h('b', {}, words.t('page.formal')), h('span', {}, known ? words.t('page.formal_with', { who }) : words.t('page.formal_told')), known?.number ? call(known.number, { class: 'page-call' }) : '', h('span', { class: 'foot' }, words.t('page.only_two'))];
  }

  /** The first is the one to do next. */
  #acts({ state, number }) {
    const { phase } = state;
    const end = (key) => this.#act(key, () => this.view.act('page_end'), 'quiet');
    if (!this.#mine) return [MAY_END.has(phase) && end('page.close')];
    const alone = phase === 'unanswered';
    const widen = !this.#widened && phase !== 'withdrawn' && this.#act('page.widen', () => this.#widen(), alone && !number ? 'primary' : '');
    if (isPending(state)) return [end('page.withdraw')];
    return [alone && number && call(number, { class: 'button primary' }), widen, MAY_END.has(phase) && end('page.close')];
  }

  get #widened() {
    return this.view.room.timeline.between(2, Infinity).find(({ kind }) => kind === 'page.widened');
  }

  /** In one tap: the question becomes a case for all of that specialty. */
  #widen() {
    return new Promise((done, failed) => tell(this, 'widen', { page: this.#page, room: this.view.room.id, done, failed }));
  }

  #compose(isOpen) {
    const { composer } = this.around;
    const sort = isOpen ? null : NOBODY_READS;
    if (composer.sort === sort) return;
    composer.sort = sort;
    this.around.changed();
  }

  #act(key, act, look) {
    return button(words.t(key), ({ currentTarget }) => once(currentTarget, this.trouble, act), { class: look });
  }
}

/** Leaves what is the same where it is, with the focus that it may have. */
function fill(box, controls) {
  const same = controls.length === box.childElementCount && controls.every((one, at) => one.isEqualNode(box.children[at]));
  if (!same) box.replaceChildren(...controls);
}

customElements.define('page-bar', PageBar);
