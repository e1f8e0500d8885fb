// @ts-check
import { words } from '../parts/words.js';
import { h } from './dom.js';
import { lasting } from './consult-figures.js';
import { choice, once } from './fields.js';
import { layerName } from './rota-picture.js';
import { chart } from './time-chart.js';
import { moment } from './oncall-times.js';

const SHOWN = 20;
const DAY_MS = 24 * 3_600_000;
const PERIODS = [30, 90, 365];

/** What became of the pages of a role: how long until one was accepted, by hour, and each of the last. */
export function pageRecord(role, doors, width) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const body = h('div', { class: 'case-times' });
  const path = `/api/roles/${encodeURIComponent(role.id)}/record`;
  const period = choice('record-days', words.t('record.period'), PERIODS.map((days) => [days, words.t('record.days', { n: days })]));
  const whole = h('details', { class: 'record' }, h('summary', {}, words.t('record.title')), h('form', { class: 'inline' }, period), body, trouble);
  const select = period.querySelector('select');
  const look = async () => {
    const days = Number(select.value);
    const since = `since=${encodeURIComponent(new Date(Date.now() - days * DAY_MS).toISOString())}`;
    await once(whole, trouble, async () => body.replaceChildren(...drawn(await doors.get(`${path}?${since}`), { days, csv: `${path}.csv?${since}`, width })));
    if (days !== Number(select.value)) await look();
  };
  select.addEventListener('change', look);
  whole.addEventListener('toggle', () => whole.open && !body.firstChild && look());
  return whole;
}

function drawn(told, { days, csv, width }) {
  const { median_s: median, p90_s: p90, n, unanswered, by_hour: hours = [], pages = [] } = told;
  const out = h('p', {}, h('a', { class: 'button', href: csv, download: '' }, words.t('record.export')));
  if (!n) return [h('p', { class: 'none' }, words.t('record.none', { days })), out];
  const points = Array.from({ length: 24 }, (_, hour) => ({ n: 0, ...hours.find((each) => each.hour === hour), label: clockName(hour), short: clockName(hour) }));
  const title = words.t('record.by_hour');
  return [
    h('p', {}, words.t('record.lede', { n: words.count('record.pages', n), days, unanswered: words.numbers.format(unanswered) })),
    h('dl', { class: 'figures' }, figure('record.median', median), figure('record.p90', p90)),
    h('h4', {}, title), h('p', { class: 'hint' }, words.t('record.legend')),
    median === undefined ? '' : chart(points, title, width),
    h('details', {}, h('summary', {}, words.t('consults.table')), hourTable(points, title)),
    h('h4', {}, words.t('record.last')), pageTable(pages), out];
}

function figure(key, seconds) {
  return h('div', {}, h('dt', {}, words.t(key)), h('dd', {}, seconds === undefined ? '–' : lasting(seconds)));
}

function hourTable(points, title) {
  const heads = ['consults.hour', 'record.median', 'record.p90', 'record.n'];
  return table(title, heads, points.filter(({ n }) => n).map(({ label, median_s: median, p90_s: p90, n }) => [label, ...[median, p90].map(seconds), words.numbers.format(n)]));
}

function pageTable(pages) {
  const heads = ['record.when', 'record.urgency', 'record.end', 'record.by', 'record.took'];
  return table(words.t('record.last'), heads, pages.slice(0, SHOWN).map((page) => [moment(page.opened), words.t(`case.urgency.${page.urgency}`), words.coded('record.phase', page.phase), page.layer ? layerName(page.layer) : '–', seconds(page.seconds)]));
}

function table(title, heads, lines) {
  return h('div', { class: 'wide-table', tabindex: '0', role: 'region', 'aria-label': title }, h('table', {}, h('caption', { class: 'unseen' }, title),
    h('thead', {}, h('tr', {}, ...heads.map((key) => h('th', { scope: 'col' }, words.t(key))))),
    h('tbody', {}, ...lines.map(([first, ...rest]) => h('tr', {}, h('th', { scope: 'row' }, first), ...rest.map((cell) => h('td', {}, cell)))))));
}

function seconds(n) {
  return n === undefined ? '–' : lasting(n);
}

function clockName(hour) {
  return words.hour(new Date(2000, 0, 1, hour)).replace(/[:\s]00/, '');
}
