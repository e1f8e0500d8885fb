// @ts-check
import { Signal } from './signal.js';
import { fold } from './points.js';

const KINDS = ['me', 'talk', 'house', 'world', 'specialty', 'country', 'consult', 'page', 'bench'];

/** Every room the doctor may enter: {id, title, kind, head, unread, present, own, pinned?}. */
export class Rooms {
  changed = new Signal();
  #rooms = new Map();
  #order = new Map();
  #active = new Map();
  #clock = 0;

  get(id) {
    return this.#rooms.get(id);
  }

  /** The whole list, as GET /api/rooms gives it. */
  fill(rooms) {
    const me = this.#rooms.get('me'); // one's own log is in nobody's list of rooms
    const known = rooms.map((room) => [room.id, { ...this.#rooms.get(room.id), ...room }]);
    this.#rooms = new Map(me ? [['me', me], ...known] : known);
    this.#order = new Map(rooms.map((room, index) => [room.id, index]));
    this.changed.emit();
  }

  /** News of some rooms. @returns {boolean} false when one of them is not in the list */
  update(news) {
    let known = true;
    for (const one of news) {
      const room = this.#rooms.get(one.id);
      known &&= !!room;
      if (room && one.head > room.head) this.#active.set(one.id, ++this.#clock);
      this.#rooms.set(one.id, { kind: one.id.split('/')[0], ...room, ...one });
    }
    this.changed.emit();
    return known;
  }

  set(id, news) {
    if (this.#rooms.has(id)) this.update([{ id, ...news }]);
  }

  /** Own rooms: one's notices and pinned ones first, then by the last thing heard from them. */
  own() {
    const rank = (room) => [room.id === 'me' ? 0 : room.pinned ? 1 : 2, -(this.#active.get(room.id) ?? 0)];
    return this.#all((room) => room.own && room.title, rank);
  }

  /** Rooms whose title in either language holds every typed word. */
  matching(typed) {
    const words = fold(typed).split(/\s+/).filter(Boolean);
    const fits = ({ title, id }) => {
      const where = fold(`${title.en} ${title.fr} ${id}`);
      return words.every((word) => where.includes(word));
    };
    const first = words[0] ?? '';
    const begins = ({ title }) => [title.en, title.fr].some((one) => fold(one).startsWith(first));
    return this.#all((room) => room.title && fits(room), (room) => [begins(room) ? 0 : 1, KINDS.indexOf(room.kind)]);
  }

  #all(chosen, rank) {
    const ranked = [...this.#rooms.values()].filter(chosen).map((room) => {
      return { room, rank: [...rank(room), this.#order.get(room.id) ?? Infinity] };
    });
    return ranked.sort((a, b) => compare(a.rank, b.rank)).map(({ room }) => room);
  }
}

function compare(left, right) {
  const at = left.findIndex((value, index) => value !== right[index]);
  return at < 0 ? 0 : left[at] - right[at];
}
