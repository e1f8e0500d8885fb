// @ts-check
import { words } from '../parts/words.js';
import { addressOf } from '../parts/router.js';
import { button, h, hidden, put, tell, write } from './dom.js';

/** My rooms, and all rooms behind a filter. Rows stay where they are while they are pointed at. */
export class RoomList extends HTMLElement {
  #rooms = null;
  #current = null;
  #rows = new Map();
  #due = false;
  #all = false;

  connectedCallback() {
    if (this.firstChild) return;
    this.filter = h('input', { type: 'search', id: 'filter', autocomplete: 'off', spellcheck: 'false', placeholder: words.t('rooms.filter') });
    this.heading = h('h2', {});
    this.list = h('ul', { class: 'rows-of-rooms' });
    this.none = h('p', { class: 'none', role: 'status' });
    this.browse = button('', () => this.#toggle(), { class: 'browse quiet', 'aria-expanded': 'false' });
    this.append(h('div', { class: 'filter' }, h('label', { for: 'filter', class: 'unseen' }, words.t('rooms.filter')), this.filter), h('div', { class: 'list-head' }, this.heading, this.browse), this.list, this.none);
    this.filter.addEventListener('input', () => this.#draw());
    this.filter.addEventListener('keydown', (event) => this.#key(event));
    this.addEventListener('keydown', (event) => this.#arrow(event));
    for (const name of ['pointerleave', 'focusout']) this.addEventListener(name, () => this.changed());
  }

  open(rooms) {
    this.#rooms = rooms;
    rooms.changed.on(() => this.changed());
    this.#draw();
  }

  current(id) {
    this.#current = id;
    this.changed();
  }

  changed() {
    if (this.#due || !this.#rooms) return;
    this.#due = true;
    setTimeout(() => {
      this.#due = false;
      this.#draw();
    }, 100);
  }

  #draw() {
    const typed = this.filter.value.trim();
    const all = typed || this.#all;
    const rooms = all ? this.#rooms.matching(typed) : this.#rooms.own();
    write(this.heading, all ? words.count('rooms.found', rooms.length) : words.t('rooms.mine'));
    this.#fill(rooms);
    write(this.none, rooms.length ? '' : words.t(all ? 'rooms.none' : 'rooms.none_mine'));
    this.browse.hidden = !!typed;
    write(this.browse, words.t(this.#all ? 'rooms.fewer' : 'rooms.all'));
  }

  #fill(rooms) {
    const rows = rooms.map((room) => this.#row(room));
    const shown = [...this.list.children];
    const settled = rows.length === shown.length && rows.every((row) => row.parentElement === this.list);
    if (settled && this.list.matches(':hover, :focus-within')) return;
    if (!settled || rows.some((row, index) => row !== shown[index])) this.list.replaceChildren(...rows);
  }

  #row(room) {
    const row = this.#rows.get(room.id) ?? makeRow();
    this.#rows.set(room.id, row);
    const { link, title, band, unread } = row.parts;
    const address = addressOf({ name: 'room', room: room.id });
    put(link, 'href', address);
    put(link, 'aria-current', this.#current === room.id && 'page');
    write(title, words.title(room.title));
    write(band, bandOf(room));
    const n = String(room.unread ?? 0);
    if (unread.dataset.n !== n) unread.replaceChildren(...(room.unread ? unreadMark(room.unread) : []));
    unread.dataset.n = n;
    return row;
  }

  #toggle() {
    this.#all = !this.#all;
    this.browse.setAttribute('aria-expanded', String(this.#all));
    this.#draw();
    tell(this, 'browse');
  }

  #key(event) {
    if (event.key === 'Escape' && this.filter.value) {
      event.preventDefault();
      this.filter.value = '';
      this.#draw();
    } else if (event.key === 'Enter' && this.filter.value.trim()) {
      event.preventDefault();
      this.list.querySelector('a')?.click();
    }
  }

  #arrow(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    const stops = [this.filter, ...this.querySelectorAll('.rows-of-rooms a')].filter((one) => one.offsetParent);
    const at = stops.indexOf(document.activeElement);
    if (at < 0 || !stops[at + step]) return;
    event.preventDefault();
    stops[at + step].focus();
  }
}

function makeRow() {
  const title = h('span', { class: 'title' });
  const band = h('span', { class: 'band' });
  const unread = h('span', { class: 'unread' });
  const link = h('a', {}, h('span', { class: 'lines' }, title, hidden('. '), band), unread);
  const row = h('li', {}, link);
  row.parts = { link, title, band, unread };
  return row;
}

function bandOf({ id, kind, present }) {
  if (id === 'me') return '';
  if (/talk|page/.test(kind)) return words.t(`${kind}.kind`);
  return [kind === 'consult' && words.t('consult.kind'), words.band(present)].filter(Boolean).join(' · ');
}

function unreadMark(n) {
  const shown = n >= 100 ? '99+' : words.numbers.format(n);
  return [h('span', { 'aria-hidden': 'true' }, shown), hidden(`. ${words.count('rooms.unread', n)}`)];
}

customElements.define('room-list', RoomList);
