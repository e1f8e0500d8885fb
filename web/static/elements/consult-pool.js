// @ts-check
import { words } from '../parts/words.js';
import { button, h } from './dom.js';
import { once } from './fields.js';
import { later } from './later.js';
import { opinion } from './consult-opinion.js';
import { when } from './when.js';

const SVG = 'http://www.w3.org/2000/svg';
const SHOWN = 5;

/** The opinions, opened: bars by weight with one's own place, by cohort where allowed; one or two stand singly. */
export class ConsultPool extends HTMLElement {
  #cell = null;
  #all = false;

  show(entry, view) {
    this.given = [entry, view];
    const focused = this.contains(document.activeElement) && document.activeElement.dataset.key;
    const { single, opinions: n = 0, at } = entry;
    this.replaceChildren(
      h('header', { class: 'row-head' }, h('h3', {}, words.count('pool.title', n)), when(at)),
      ...(single?.length ? singles(single, view) : n ? this.#pool(entry, view) : [h('p', {}, words.t('pool.none'))]));
    if (focused) this.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  #pool(entry, view) {
    const { consult } = view.log.room;
    const { cells = [] } = entry;
    const shown = cells.find((cell) => keyOf(cell) === this.#cell) ?? { n: entry.opinions, pool: entry.pool };
    const pool = shown.pool ?? [];
    const top = Math.max(...pool.map(({ weight }) => weight), 0);
    const rows = this.#all ? pool : pool.slice(0, SHOWN);
    return [
      cells.length ? this.#cohorts(entry) : '',
      h('ol', { class: 'bars' }, ...rows.map((one) => bar(one, top, shown.n, consult))),
      pool.length > SHOWN ? button(words.t(this.#all ? 'pool.fewer' : 'pool.all', { n: pool.length }), () => this.#toggle(), { class: 'quiet', 'data-key': 'all' }) : '',
      h('p', { class: 'hint' }, words.t('pool.rule')),
      consult?.isAuthor && consult.phase === 'revealed' && pool.length > 1 ? this.#merging(entry, view) : '',
    ].filter(Boolean);
  }

  /** Everyone, or only those of one specialty or country, where enough share it. */
  #cohorts({ cells, opinions }) {
    const choice = (key, label, n) => button(`${label} (${words.numbers.format(n)})`, () => this.#choose(key), { class: 'pill', 'data-key': String(key), 'aria-pressed': String(this.#cell === key) });
    return h('div', { class: 'cohorts', role: 'group', 'aria-label': words.t('pool.cohorts') },
      choice(null, words.t('pool.everyone'), opinions), ...cells.map((cell) => choice(keyOf(cell), cohortName(cell), cell.n)));
  }

  #choose(key) {
    this.#cell = key;
    this.show(...this.given);
  }

  #toggle() {
    this.#all = !this.#all;
    this.show(...this.given);
  }

  /** The author says that two spellings are one. */
  #merging({ pool }, view) {
    const trouble = h('p', { class: 'trouble', role: 'alert' });
    const open = button(words.t('merge.open'), () => once(open, trouble, async () => {
      const { openMerge } = await later('consult-forms');
      openMerge({ labels: pool.map(({ label }) => label), merge: (form) => view.log.act('merge', form) });
    }), { class: 'quiet', 'data-key': 'merge' });
    return h('div', {}, open, trouble);
  }
}

/** One or two opinions are no crowd: each stands as it was written. */
function singles(single, { log }) {
  return [
    h('p', { class: 'hint' }, words.t('pool.single')),
    h('ol', { class: 'opinions' }, ...single.map((one) => h('li', {}, opinion(one, log.room.timeline.get(1)?.by)))),
  ];
}

function bar({ label, names, weight, first = 0, whys = [] }, top, n, consult) {
  const place = consult?.placeOf(label, names) ?? 0;
  const figures = words.t('pool.figures', { weight: words.numbers.format(Math.round(weight * 100) / 100), first, n });
  return h('li', { class: place ? 'own' : '' },
    h('div', { class: 'bar-head' }, h('b', { dir: 'auto' }, label), h('span', { class: 'figures' }, figures)),
    drawn(top ? weight / top : 0),
    place ? h('p', { class: 'place' }, words.t(`pool.place.${place}`)) : '',
    whys.length ? h('details', {}, h('summary', {}, words.count('pool.whys', whys.length)), h('ul', { class: 'plain-list' }, ...whys.map((why) => h('li', { dir: 'auto' }, why)))) : '');
}

/** A bar as wide as `share` (0…1) of its place; its figures stand beside it in words. */
export function drawn(share) {
  const svg = document.createElementNS(SVG, 'svg');
  const rect = document.createElementNS(SVG, 'rect');
  for (const [name, value] of [['viewBox', '0 0 100 1'], ['preserveAspectRatio', 'none'], ['class', 'bar'], ['aria-hidden', 'true']]) svg.setAttribute(name, value);
  rect.setAttribute('height', '1');
  rect.setAttribute('width', String(Math.round(share * 1000) / 10));
  svg.append(rect);
  return svg;
}

function keyOf({ specialty, country }) {
  return specialty ? `s-${specialty}` : `c-${country}`;
}

function cohortName({ specialty, country }) {
  return specialty ? words.specialty(specialty) : words.country(country);
}

customElements.define('consult-pool', ConsultPool);
