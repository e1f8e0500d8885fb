// @ts-check
import { words } from '../parts/words.js';
import { button, h } from './dom.js';
import { placeName } from './entry-quote.js';
import { once } from './fields.js';
import { KeptPart } from './kept-list.js';
import { when } from './when.js';

/** What holds now: what, where, why, until when. Never against whom. */
export class SanctionList extends KeptPart {
  what = {
    path: '/api/sanctions',
    lede: words.t('moderation.sanctions_lede'),
    itemsOf: ({ sanctions }) => sanctions,
    count: (n) => (n ? words.count('moderation.sanctions', n) : words.t('moderation.sanctions_none')),
  };

  line() {
    const head = h('p', { class: 'report-head' });
    const element = h('li', { class: 'report', tabindex: '-1' });
    let shown = '';
    const show = (each) => {
      if (shown === JSON.stringify(each)) return;
      shown = JSON.stringify(each);
      const { id, kind, room, reason, at, until } = each;
      head.replaceChildren(
        h('b', {}, words.coded('moderation.sanction', kind)), h('span', {}, words.coded('reason', reason)),
        h('span', {}, room ? placeName(room, this.titleOf) : words.t('moderation.everywhere')),
        h('span', {}, until ? words.t('moderation.until', { until: words.exact(until) }) : words.t('mute.minutes.none')),
        h('span', { class: 'foot' }, words.t('moderation.since'), ' ', when(at)));
      element.replaceChildren(head, h('div', { class: 'choices' }, button(words.t('moderation.lift'), ({ currentTarget }) => this.#lift(currentTarget, id))));
    };
    return { element, show };
  }

  #lift(control, id) {
    return once(control, this.trouble, async () => {
      await this.doors.delete(`/api/sanctions/${encodeURIComponent(id)}`);
      this.say(words.t('moderation.lifted'));
      await this.look();
    });
  }
}

customElements.define('sanction-list', SanctionList);
