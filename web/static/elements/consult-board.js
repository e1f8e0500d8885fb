// @ts-check
import { words } from '../parts/words.js';
import { addressOf } from '../parts/router.js';
import { asked, lasting, standAt, stateLine, stepLine, tellState, urgencyMark, waitingFor } from './consult-figures.js';
import { h, markButton, tell, write } from './dom.js';
import { choice } from './fields.js';
import { badge } from './message-row.js';
import { chart } from './time-chart.js';
import { when } from './when.js';

const AGAIN_MS = 30_000;
const DAY_MS = 24 * 3_600_000;
const DAYS_SHOWN = 30;
/** Of a picture, in pixels. */
const WIDEST = 704;
const PHASES = { waiting: 'open', revealed: 'revealed', decided: 'decided', outcome: 'outcome', any: '' };
const URGENCIES = ['now', 'today', 'routine'];

/** All cases, those without an opinion first; filters; and how long a first opinion took, drawn from the log. */
export class ConsultBoard extends HTMLElement {
  #turn = 0;
  #timer = 0;
  #shown = '';

  /** `doors` is the Api. Looks by itself while it can be seen; rows stay where they are under a pointer. */
  open({ doors }) {
    this.doors = doors;
    if (!this.firstChild) this.#build();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#mayLook() && this.#look(), AGAIN_MS);
    this.#look();
    this.#reckon();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  #build() {
    this.heading = h('h2', { tabindex: '-1' }, words.t('consults.title'));
    this.said = h('p', { class: 'said', role: 'status' });
    this.list = h('ul', { class: 'cases' });
    this.times = h('section', { class: 'case-times', 'aria-labelledby': 'case-times' });
    this.filters = this.#filters();
    this.append(
      h('header', { class: 'room-head' },
        markButton('back', words.t('app.back'), () => tell(this, 'back'), { class: 'back' }),
        h('div', { class: 'titles' }, this.heading),
        h('a', { class: 'button', href: '/case' }, words.t('case.title'))),
      h('div', { class: 'board', tabindex: '0', role: 'region', 'aria-label': words.t('consults.title') }, this.filters, this.said, this.list, this.times));
  }

  #filters() {
    const phases = Object.keys(PHASES).map((phase) => [phase, words.t(`consults.phase.${phase}`)]);
    const urgencies = [['', words.t('consults.urgency.any')], ...URGENCIES.map((urgency) => [urgency, words.t(`case.urgency.${urgency}`)])];
    const specialties = [['', words.t('consults.specialty.any')], ...words.choices('specialties')];
    const form = h('form', { class: 'case-filters', role: 'search', 'aria-label': words.t('consults.title') },
      choice('phase', words.t('consults.phase'), phases),
      choice('board-urgency', words.t('case.urgency'), urgencies),
      choice('board-specialty', words.t('consults.specialty'), specialties),
      h('label', { class: 'radio' }, h('input', { type: 'checkbox', name: 'mine' }), words.t('consults.mine')));
    form.addEventListener('change', () => this.#look());
    form.addEventListener('submit', (event) => event.preventDefault());
    return form;
  }

  #mayLook() {
    return !document.hidden && this.checkVisibility() && !this.list.matches(':hover, :focus-within');
  }

  async #look() {
    const turn = ++this.#turn;
    try {
      const { consults } = await this.doors.get(`/api/consults?${this.#asked()}`);
      if (turn === this.#turn) this.#show(consults);
    } catch (refusal) {
      if (turn === this.#turn) write(this.said, words.refusal(refusal));
    }
  }

  #asked() {
    const { phase, mine, 'board-urgency': urgency, 'board-specialty': specialty } = this.filters.elements;
    const chosen = { phase: PHASES[phase.value], urgency: urgency.value, specialty: specialty.value, mine: mine.checked ? 'true' : '' };
    return new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
  }

  #show(consults) {
    write(this.said, consults.length ? words.count('consults.found', consults.length) : words.t('consults.none'));
    const now = JSON.stringify(consults);
    if (now === this.#shown) return;
    this.#shown = now;
    this.list.replaceChildren(...consults.map(row));
  }

  // — how long it took —

  async #reckon() {
    try {
      const figures = await this.doors.get('/api/consults/figures');
      this.times.replaceChildren(h('h3', { id: 'case-times' }, words.t('consults.times')), ...times(figures, Math.min(WIDEST, this.times.clientWidth || WIDEST)));
    } catch (refusal) {
      this.times.replaceChildren(h('h3', { id: 'case-times' }, words.t('consults.times')), h('p', { class: 'none' }, words.refusal(refusal)));
    }
  }
}

function row({ id, question, urgency, specialties, phase, opinions, withdrawn, looking, opened, closes, by, mine, waiting_since: since }) {
  const steps = stepLine();
  const standing = stateLine();
  standAt(steps, { phase, opinions });
  tellState(standing, { state: { phase, opinions, withdrawn }, closes });
  const facts = [mine && words.t('case.mine'), looking > 0 && words.count('case.looking', looking)].filter(Boolean).join(' · ');
  const place = addressOf({ name: 'room', room: id });
  return h('li', { class: 'case-row' },
    h('p', { class: 'case-head' }, urgencyMark(urgency), phase === 'open' ? waitingFor(since ?? opened) : when(opened), h('span', { class: 'case-by' }, badge(by ?? {}))),
    h('h3', { class: 'case-question', dir: 'auto' }, h('a', { href: place }, question ?? words.t('consult.some'))),
    h('p', { class: 'foot' }, asked(specialties), facts ? ` · ${facts}` : ''),
    steps, standing);
}

/** The median and the 90th percentile, over all, by hour of the reader's day, and by day. */
function times({ median_s: median, p90_s: p90, n, unanswered, days, by_hour: hours, by_day: dates }, width) {
  const lede = h('p', {}, words.t('consults.times_lede', { days, n: words.count('case.cases', n), unanswered: words.numbers.format(unanswered) }));
  if (median === undefined) return [h('p', { class: 'none' }, words.t('consults.times_none'))];
  const told = h('dl', { class: 'figures' },
    figure('consults.median', lasting(median)), figure('consults.p90', lasting(p90)));
  return [told, lede, h('p', { class: 'hint' }, words.t('consults.legend')), ...drawn('hour', byLocalHour(hours), width), ...drawn('day', byDate(dates), width)];
}

function figure(key, value) {
  return h('div', {}, h('dt', {}, words.t(key)), h('dd', {}, value));
}

function drawn(by, points, width) {
  if (!points.some(({ median_s: median }) => median !== undefined)) return [];
  const title = words.t(`consults.by_${by}`);
  return [h('h4', {}, title), chart(points, title, width), h('details', {}, h('summary', {}, words.t('consults.table')), table(by, title, points))];
}

function table(by, title, points) {
  const heads = [`consults.${by}`, 'consults.median', 'consults.p90', 'consults.n'].map((key) => h('th', { scope: 'col' }, words.t(key)));
  const lines = points.filter(({ n }) => n).map(({ label, median_s: median, p90_s: p90, n }) => h('tr', {},
    h('th', { scope: 'row' }, label), ...[median, p90].map((seconds) => h('td', {}, seconds === undefined ? '' : lasting(seconds))), h('td', {}, words.numbers.format(n))));
  return h('table', {}, h('caption', { class: 'unseen' }, title), h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...lines));
}

/** The log's hours are UTC; a reader lives by her own clock. */
function byLocalHour(hours) {
  const known = new Map(hours.map((each) => [localHour(each.hour), each]));
  return Array.from({ length: 24 }, (_, hour) => {
    const label = words.hour(new Date(2000, 0, 1, hour));
    return { n: 0, ...known.get(hour), label, short: label.replace(/[:\s]00/, '') };
  });
}

function localHour(hour) {
  const at = new Date();
  at.setUTCHours(hour, 0, 0, 0);
  return at.getHours();
}

/** The latest days up to the last with a case; a day without any keeps its place. */
function byDate(dates) {
  const named = new Intl.DateTimeFormat(words.lang, { month: 'short', day: 'numeric', timeZone: 'UTC' });
  const known = new Map(dates.map((each) => [Date.parse(each.day), each]));
  const [first, last] = [Math.min(...known.keys()), Math.max(...known.keys())];
  const from = Math.max(first, last - (DAYS_SHOWN - 1) * DAY_MS);
  return Array.from({ length: (last - from) / DAY_MS + 1 }, (_, index) => {
    const label = named.format(from + index * DAY_MS);
    return { n: 0, ...known.get(from + index * DAY_MS), label, short: label };
  });
}

customElements.define('consult-board', ConsultBoard);
