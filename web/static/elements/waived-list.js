// @ts-check
import { addressOf } from '../parts/router.js';
import { isOfTwo } from '../parts/talk.js';
import { words } from '../parts/words.js';
import { h } from './dom.js';
import { placeName, quoteOf } from './entry-quote.js';
import { KeptPart } from './kept-list.js';
import { when } from './when.js';

/** Texts whose authors said "this is not a patient" of what the guard marked. */
export class WaivedList extends KeptPart {
  what = {
    path: '/api/waived',
    lede: words.t('moderation.waived_lede'),
    itemsOf: ({ waived }) => waived.map((each) => ({ ...each, id: `${each.room} ${each.seq}` })),
    count: (n) => (n ? words.count('moderation.waived_texts', n) : words.t('moderation.waived_none')),
  };

  line() {
    const element = h('li', { class: 'report', tabindex: '-1' });
    let shown = '';
    const show = (each) => {
      if (shown === JSON.stringify(each)) return;
      shown = JSON.stringify(each);
      const { room, seq, at, kinds, event } = each;
      element.replaceChildren(
        h('p', { class: 'report-head' }, h('b', {}, kinds.map((kind) => words.coded('moderation.kind', kind)).join(', ')), h('span', {}, placeName(room, this.titleOf)), when(at)),
        event ? quoteOf(event) : '',
        isOfTwo(room) ? '' : h('div', { class: 'choices' }, h('a', { class: 'to-place', href: addressOf({ name: 'room', room, seq }) }, words.t('moderation.place'))));
    };
    return { element, show };
  }
}

customElements.define('waived-list', WaivedList);
