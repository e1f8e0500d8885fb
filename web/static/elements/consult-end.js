// @ts-check
import { start } from '../parts/points.js';
import { words } from '../parts/words.js';
import { h, icon } from './dom.js';
import { badge } from './message-row.js';
import { when } from './when.js';

const QUOTED = 120;

/** What the author did in the end, and what helped; later, what came of it. */
export class ConsultEnd extends HTMLElement {
  show({ kind, by, at, text, helped = [] }, { mine, address, log }) {
    const { timeline } = log.room;
    const link = (seq) => {
      const entry = timeline.get(seq);
      const said = entry?.kind === 'say' ? `${entry.by.name}: ${start(entry.text, QUOTED)}` : words.t('row.quote_unloaded');
      return h('li', {}, h('a', { class: 'quote', href: `${address}#${seq}` }, icon('check'), h('span', { class: 'quoted' }, said)));
    };
    this.replaceChildren(
      h('header', { class: 'row-head' }, h('h3', {}, words.t(`row.${kind}`)), badge(by), h('span', { class: 'name' }, by.name), mine ? h('span', { class: 'you' }, words.t('row.you')) : '', when(at)),
      text ? h('p', { class: 'text', dir: 'auto' }, text) : '',
      helped.length ? h('div', {}, h('p', { class: 'foot' }, words.t('decide.helped_by')), h('ul', {}, ...helped.map(link))) : '');
  }
}

customElements.define('consult-end', ConsultEnd);
