// @ts-check
import { paging } from '../parts/paging.js';
import { words } from '../parts/words.js';
import { addressOf } from '../parts/router.js';
import { urgencyMark } from './consult-figures.js';
import { button, h, tell, write } from './dom.js';
import { addressee, ahead, call, emergency, lonelyWords, standing, timeline } from './page-words.js';
import { when } from './when.js';

const OVER = new Set(['closed', 'withdrawn']);

/** A page in its own room: what was asked, the number that always answers, and how far it has come, with clock times. */
export class PageCard extends HTMLElement {
  #drawn = '';

  /** `entry` is a `page.open` as it stands. */
  show(entry, { mine, log }) {
    if (!this.firstChild) this.#build(entry);
    this.dataset.phase = entry.state.phase;
    const drawn = JSON.stringify([entry.state, mine]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    write(this.standing, standing(entry));
    write(this.ahead, mine ? ahead(entry) : '');
    this.times.replaceChildren(timeline(entry));
    this.#tellNumber(entry, mine);
    this.#tellLonely(entry, mine && paging.lonely.has(log?.room?.id));
  }

  #build(entry) {
    const { at, text, urgency, overridden } = entry;
    this.standing = h('p', { class: 'page-standing' });
    this.ahead = h('p', { class: 'foot' });
    this.times = h('div', {});
    this.number = h('div', { class: 'page-number' });
    this.lonely = h('div', { class: 'page-number' });
    this.append(
      h('p', { class: 'case-head' }, urgencyMark(urgency), h('b', {}, addressee(entry)), when(at)),
      h('h4', { class: 'case-question', dir: 'auto' }, text),
      overridden ? h('p', { class: 'foot', dir: 'auto' }, words.t('page.overridden', { why: overridden })) : '',
      this.number, this.lonely, this.standing, this.ahead, this.times);
  }

  /** The number is there from the first moment; when nobody accepted, it fills the card. */
  #tellNumber({ way, number: first, state }, mine) {
    const number = state.number ?? first;
    const wanted = mine && !OVER.has(state.phase);
    this.number.hidden = !wanted;
    // What is the same stays where it is, with the focus that it may have.
    const told = JSON.stringify([number, state.phase === 'unanswered' && (state.next ?? true)]);
    if (!wanted || this.number.dataset.told === told) return;
    this.number.dataset.told = told;
    if (state.phase !== 'unanswered') this.number.replaceChildren(emergency(number));
    else this.number.replaceChildren(...unanswered(way, number, state));
  }

  /** Until it is on the device of somebody who came, or over. */
  #tellLonely(entry, isLonely) {
    this.lonely.hidden = !isLonely || entry.state.phase !== 'sent';
    if (!this.lonely.hidden && !this.lonely.firstChild) this.lonely.replaceChildren(...lonely(entry));
  }
}

function unanswered(way, number, { next }) {
  return [
    h('p', { class: 'page-nobody' }, words.t(way === 'ask' ? 'ask.nobody' : number ? 'page.nobody_call' : 'page.nobody')),
    number ? call(number, { class: 'button primary big-number' }) : '',
    next ? h('p', {}, words.t('page.next_on', { at: words.time(next) === words.t('time.now') ? words.exact(next) : words.short.format(new Date(next)) })) : '',
    h('p', { class: 'foot' }, words.t('page.what_else')),
    h('p', { class: 'choices' },
      button(words.t(way === 'ask' ? 'ask.again' : 'ask.title'), ({ target }) => tell(target, 'asknow'), { class: 'quiet' }),
      h('a', { class: 'button quiet', href: '/page' }, words.t('page.title'))),
  ];
}

/** Nobody was there to be asked: what else there is to do, though it still waits. */
function lonely({ role, specialty, state }) {
  return [
    h('p', { class: 'page-nobody' }, lonelyWords(specialty ?? role)),
    state.next ? h('p', {}, words.t('ask.lonely.waits', { at: words.hour(state.next) })) : '',
    h('p', { class: 'foot' }, words.t('page.what_else')),
    h('p', { class: 'choices' },
      h('a', { class: 'button quiet', href: '/case' }, words.t('case.title')),
      h('a', { class: 'button quiet', href: '/page' }, words.t('page.title'))),
  ];
}

/** The line where a page became a case that others read. */
export class PageWidened extends HTMLElement {
  show({ consult, at }) {
    if (this.firstChild) return;
    this.append(
      h('p', {}, words.t('page.widened')),
      h('p', { class: 'choices' }, h('a', { class: 'button', href: addressOf({ name: 'room', room: consult }) }, words.t('page.to_case'))),
      h('p', { class: 'foot' }, when(at)));
  }
}

customElements.define('page-card', PageCard);
customElements.define('page-widened', PageWidened);
