// @ts-check
import { start } from '../parts/points.js';
import { words } from '../parts/words.js';
import { h, icon } from './dom.js';
import { authorOf } from './message-row.js';

const QUOTED = 120;

/** What moderators have pinned in a room, over its log: each leads to where it was said. */
export class PinList extends HTMLElement {
  #shown = '';
  #asked = new Set();

  /** `view` as of the log: {room, address}. */
  show({ room, address }) {
    const pins = room.state === 'refused' ? [] : room.pins.map((seq) => [seq, this.#found(room, seq)]).filter(([, entry]) => entry?.kind !== 'tombstone');
    this.hidden = !pins.length;
    const shown = JSON.stringify([address, pins]);
    if (shown === this.#shown || this.hidden) return;
    this.#shown = shown;
    const open = this.querySelector('details')?.open;
    const title = [icon('pin'), ' ', words.count('pins', pins.length)];
    const links = pins.map(([seq, entry]) => h('a', { href: `${address}#${seq}` }, textOf(entry)));
    // One is shown at once; more wait behind a line, for they would take the room from what is said.
    if (links.length === 1) this.replaceChildren(h('p', { class: 'pins' }, ...title), ...links);
    else this.replaceChildren(h('details', { open }, h('summary', { class: 'pins' }, ...title), h('ul', {}, ...links.map((link) => h('li', {}, link)))));
  }

  /** The entry, asked for once if it lies outside of what is loaded. */
  #found(room, seq) {
    const entry = room.timeline.get(seq);
    const key = `${room.id} ${seq}`;
    if (!entry && room.joined && !this.#asked.has(key)) {
      this.#asked.add(key);
      room.around(seq, 1).catch(() => this.#asked.delete(key)).then(() => room.changed.emit({ what: 'mode' }));
    }
    return entry;
  }
}

function textOf(entry) {
  if (!entry) return words.t('row.quote_unloaded');
  const text = start(entry.text ?? entry.question ?? words.t(`row.${entry.kind}`), QUOTED);
  return [h('b', { class: 'name' }, authorOf(entry)), authorOf(entry) ? ': ' : '', h('span', { dir: 'auto' }, text)];
}

customElements.define('pin-list', PinList);
