// @ts-check
import { fold } from '../parts/points.js';
import { addressOf } from '../parts/router.js';
import { words } from '../parts/words.js';
import { button, h, hidden, icon, put, tell, write } from './dom.js';
import { redraw, sparkline, total } from './sparkline.js';

const COLUMNS = ['room', 'hour', 'people', 'consults', 'reports', 'holds', 'mode'];
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/**
 * Every room with what a moderator has to know of it, what needs eyes first. Numbers change in place; the order stands
 * still under a pointer or a focus. Tells `actroom` {row} and `reportsof` {room}.
 */
export class WatchTable extends HTMLElement {
  #lines = new Map();
  #order = [];

  connectedCallback() {
    if (this.firstChild) return;
    this.filter = h('input', { type: 'search', id: 'field-board-filter', autocomplete: 'off', on: { input: () => this.#sift() } });
    this.sum = h('p', { class: 'said' });
    this.rows = h('tbody', { role: 'rowgroup' });
    const heads = COLUMNS.map((name) => h('th', { scope: 'col', role: 'columnheader' }, words.t(`moderation.column.${name}`)));
    const table = h('table', { role: 'table', class: 'watch', 'aria-describedby': 'board-keys' },
      h('caption', { class: 'unseen' }, words.t('moderation.board')),
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...heads, h('th', { scope: 'col', role: 'columnheader' }, hidden(words.t('moderation.column.act'))))), this.rows);
    this.append(
      h('div', { class: 'watch-head' }, h('p', { class: 'labelled' }, h('label', { for: 'field-board-filter' }, words.t('moderation.filter')), this.filter), this.sum),
      table, h('p', { class: 'hint', id: 'board-keys' }, words.t('moderation.board_keys')));
    this.rows.addEventListener('keydown', (event) => this.#key(event));
    this.rows.addEventListener('pointerleave', () => this.#sort());
    this.rows.addEventListener('focusout', () => this.#sort());
  }

  /** `rooms`: a Map of rows by room, as the server tells them. */
  show(rooms) {
    for (const [room, row] of rooms) this.#line(room).show(row);
    for (const [room, line] of this.#lines) if (!rooms.has(room)) this.#forget(room, line);
    write(this.sum, summary([...rooms.values()]));
    this.#sort();
  }

  #line(room) {
    if (!this.#lines.has(room)) this.#lines.set(room, new Line(room));
    return this.#lines.get(room);
  }

  #forget(room, line) {
    line.element.remove();
    this.#lines.delete(room);
  }

  /** The order stands while somebody is in it: what one is about to press must not move away. */
  #sort() {
    const still = this.#order.length && this.rows.matches(':hover, :focus-within');
    const known = new Set(this.#order);
    const lines = [...this.#lines.values()];
    const fresh = lines.filter((line) => !known.has(line));
    this.#order = still ? [...this.#order.filter((line) => this.#lines.get(line.room) === line), ...fresh] : lines.sort(byNeed);
    this.#order.forEach((line, index) => {
      const there = this.rows.children[index];
      if (there !== line.element) this.rows.insertBefore(line.element, there ?? null);
    });
    this.#sift();
  }

  #sift() {
    const typed = fold(this.filter.value.trim());
    for (const line of this.#order) line.element.hidden = Boolean(typed) && !line.named.includes(typed);
  }

  #key(event) {
    const line = this.#order.find(({ element }) => element.contains(event.target));
    if (!line || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { a: () => line.act.click(), r: () => line.reports.click() }[event.key.toLowerCase()] ?? (STEPS[event.key] && (() => this.#step(line, STEPS[event.key])));
    if (!act) return;
    event.preventDefault();
    act();
  }

  #step(line, by) {
    const seen = this.#order.filter(({ element }) => !element.hidden);
    seen[seen.indexOf(line) + by]?.link.focus();
  }
}

/** One room of the table, for as long as it is there. */
class Line {
  #shown = '';

  constructor(room) {
    this.room = room;
    this.named = '';
    this.link = h('a', { href: addressOf({ name: 'room', room }) });
    this.urgent = h('span', { class: 'urgent' });
    this.picture = sparkline();
    this.count = h('span', { class: 'count-of-hour' });
    this.reports = button('', () => tell(this.element, 'reportsof', { room }), { class: 'quiet' });
    this.act = button(words.t('moderation.act'), () => tell(this.element, 'actroom', { row: this.row }), { class: 'quiet' });
    this.cells = Object.fromEntries(COLUMNS.slice(2).map((name) => [name, h('td', { role: 'cell', class: `of-${name}`, data: { label: words.t(`moderation.column.${name}`) } })]));
    this.cells.reports.append(this.reports, hidden(''));
    this.element = h('tr', { role: 'row' },
      h('th', { scope: 'row', role: 'rowheader', class: 'of-room' }, this.link),
      h('td', { role: 'cell', class: 'of-hour' }, this.picture, this.count),
      ...Object.values(this.cells), h('td', { role: 'cell', class: 'of-act' }, this.act));
  }

  show(row) {
    // A row that has not changed is the same object, unless all were asked for anew.
    if (row === this.row) return;
    this.row = row;
    const now = JSON.stringify(row);
    if (now === this.#shown) return;
    this.#shown = now;
    this.hour = total(row.says ?? []);
    const title = words.title(row.title) || row.room;
    this.named = fold(`${row.room} ${Object.values(row.title ?? {}).join(' ')}`);
    write(this.link, title);
    put(this.act, 'aria-label', words.t('moderation.act_in', { room: title }));
    redraw(this.picture, row.says ?? []);
    write(this.count, words.numbers.format(this.hour));
    write(this.cells.people, words.band(row.present));
    write(this.cells.consults, row.waiting ? words.numbers.format(row.waiting) : '');
    this.#tellReports(row, title);
    this.cells.holds.replaceChildren(...lines(holdWords(row)));
    this.cells.mode.replaceChildren(...lines(modeWords(row.mode ?? {})));
    this.element.classList.toggle('needs', needs(row));
    this.element.classList.toggle('pressing', (row.reports?.urgent ?? 0) > 0);
  }

  #tellReports({ reports: { open = 0, urgent = 0, oldest } = {}, hidden_pending: pending = 0 }, title) {
    this.reports.hidden = !open;
    this.cells.reports.classList.toggle('none', !open && !pending);
    const said = [words.count('moderation.reports_open', open)];
    if (urgent) said.push(words.count('moderation.urgent', urgent));
    const mark = urgent ? [icon('warn')] : [];
    this.reports.replaceChildren(...mark, h('span', {}, said.join(', '), hidden(` (${title})`)));
    const beside = [open && oldest && words.t('moderation.oldest', { when: words.time(oldest) }), pending && words.count('moderation.pending', pending)].filter(Boolean).join(' · ');
    this.reports.nextSibling.className = beside ? 'foot' : 'unseen';
    write(this.reports.nextSibling, beside);
  }
}

function byNeed(one, other) {
  return (other.row.needs ?? 0) - (one.row.needs ?? 0) || other.hour - one.hour || words.title(one.row.title).localeCompare(words.title(other.row.title), words.lang);
}

function needs({ reports, holds, hidden_pending: pending, waiting }) {
  return Boolean(reports?.open || holds || pending || waiting);
}

function holdWords({ holds = 0, held = 0, waived = 0 }) {
  return [holds && words.count('moderation.holds', holds), held && words.count('moderation.held', held), waived && words.count('moderation.waived', waived)].filter(Boolean);
}

export function modeWords({ slow = 0, frozen = false }) {
  return [frozen && words.t('moderation.frozen'), slow && words.t('moderation.slow', { time: seconds(slow) })].filter(Boolean);
}

/** A wait in its own unit: "30 s", "5 min". */
export function seconds(n) {
  return n < 120 ? words.t('moderation.seconds', { n }) : words.t('moderation.minutes', { n: Math.round(n / 60) });
}

function lines(said) {
  return said.map((each) => h('span', { class: 'line' }, each));
}

function summary(rows) {
  const open = rows.reduce((sum, { reports }) => sum + (reports?.open ?? 0), 0);
  const urgent = rows.reduce((sum, { reports }) => sum + (reports?.urgent ?? 0), 0);
  const parts = [words.count('moderation.rooms', rows.length), words.count('moderation.reports_all', open)];
  if (urgent) parts.push(words.count('moderation.urgent', urgent));
  return parts.join(' · ');
}

customElements.define('watch-table', WatchTable);
