// @ts-check
import { words } from '../parts/words.js';
import { h, icon } from './dom.js';

/** Which are open, by room and seq: a row is drawn anew when somebody reacts to it. */
const open = new Set();

/** Several doctors hold a message to be dangerous. It stays, for somebody may be acting on it; and so do their reasons. */
export class CautionNote extends HTMLElement {
  show({ room, seq, caution: { doctors, why } }) {
    const key = `${room} ${seq}`;
    const title = [icon('warn'), ' ', h('b', {}, words.count('caution', doctors)), ' '];
    if (!why.length) return this.replaceChildren(h('p', { class: 'caution' }, ...title));
    const details = h('details', { class: 'caution', open: open.has(key) },
      h('summary', {}, ...title, h('span', { class: 'see' }, words.t('caution.see'))),
      h('ul', {}, ...why.map((each) => h('li', { dir: 'auto' }, each))),
      h('p', { class: 'foot' }, words.t('caution.foot')));
    details.addEventListener('toggle', () => (details.open ? open.add(key) : open.delete(key)));
    return this.replaceChildren(details);
  }
}

customElements.define('caution-note', CautionNote);
