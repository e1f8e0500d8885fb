// @ts-check
import { words } from '../parts/words.js';
import { button, h, icon, put } from './dom.js';
import { placeName } from './entry-quote.js';
import { choice, once } from './fields.js';
import { KeptPart } from './kept-list.js';
import { KINDS } from './dialogs.js';
import { when } from './when.js';

/** Texts that a rule holds. Only who claims one is told its words; then it is posted, or refused with a reason. */
export class HeldList extends KeptPart {
  what = {
    path: '/api/waiting',
    lede: words.t('moderation.texts_lede'),
    itemsOf: ({ waiting }) => waiting,
    count: (n) => (n ? words.count('moderation.texts', n) : words.t('moderation.texts_none')),
  };

  line() {
    return new HeldCard(this);
  }
}

/** One such text. Its words are kept here for as long as the claim holds, and in no answer to a list. */
class HeldCard {
  #shown = '';
  #text = null;

  constructor(list) {
    this.list = list;
    this.head = h('p', { class: 'report-head' });
    this.body = h('div', { class: 'report-said' });
    this.bar = h('div', { class: 'claim' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.element = h('li', { class: 'report', tabindex: '-1' }, this.head, this.body, this.bar, this.trouble);
  }

  show(waiting) {
    if (waiting.claimed !== 'mine') this.#text = null;
    const now = JSON.stringify([waiting, this.#text]);
    if (now === this.#shown) return;
    this.#shown = now;
    this.waiting = waiting;
    const { rule, reason, room, at } = waiting;
    this.head.replaceChildren(h('b', {}, rule), h('span', {}, words.coded('reason', reason)), h('span', {}, placeName(room, this.list.titleOf)), when(at));
    put(this.element, 'aria-label', [...this.head.children].map((each) => each.textContent).join(', '));
    this.#draw();
  }

  keys() {
    return { c: () => this.bar.querySelector('[data-do="claim"]')?.click() };
  }

  #draw() {
    const inside = this.element.contains(document.activeElement) && document.activeElement !== this.element;
    const { claimed, claimed_until: until } = this.waiting;
    const time = until ? words.hour(until) : '';
    const mine = claimed === 'mine' && this.#text !== null;
    this.body.replaceChildren(mine ? h('blockquote', {}, h('p', { class: 'text', dir: 'auto' }, this.#text)) : '');
    if (claimed === 'other') this.bar.replaceChildren(h('p', { class: 'held-by' }, icon('wait'), words.t('moderation.claimed_other', { until: time })));
    else if (mine) this.bar.replaceChildren(...this.#mine(time));
    else this.bar.replaceChildren(h('div', { class: 'choices' }, button(words.t('moderation.read_text'), ({ currentTarget }) => this.#claim(currentTarget), { class: 'primary', data: { do: 'claim' } })));
    if (inside) (this.bar.querySelector('button, select') ?? this.element).focus();
  }

  #mine(until) {
    const why = choice(`refused-${this.waiting.id}`, words.t('moderation.why_refused'), KINDS.map((reason) => [reason, words.t(`report.kind.${reason}`)]));
    why.querySelector('select').value = this.waiting.reason;
    const reason = () => why.querySelector('select').value;
    return [
      h('div', { class: 'choices' }, button(words.t('moderation.post_text'), ({ currentTarget }) => this.#close(currentTarget, { outcome: 'released' }), { class: 'primary' })),
      h('div', { class: 'choices refusing' }, why, button(words.t('moderation.refuse_text'), ({ currentTarget }) => this.#close(currentTarget, { outcome: 'refused', reason: reason() }), { class: 'danger' })),
      h('p', { class: 'held-by' }, icon('check'), words.t('moderation.claimed_mine', { until }), ' ', button(words.t('moderation.release'), ({ currentTarget }) => this.#release(currentTarget), { class: 'quiet' })),
    ];
  }

  #claim(control) {
    return this.#ask(control, async () => {
      const { text } = await this.list.doors.post(`${this.#path}/claim`);
      this.#text = text;
    });
  }

  #release(control) {
    return this.#ask(control, () => this.list.doors.post(`${this.#path}/release`));
  }

  #close(control, judged) {
    return this.#ask(control, async () => {
      await this.list.doors.post(`${this.#path}/close`, judged);
      this.list.say(words.t(`moderation.text_${judged.outcome}`));
    });
  }

  #ask(control, act) {
    return once(control, this.trouble, async () => {
      try {
        await act();
      } finally {
        await this.list.look();
      }
    });
  }

  get #path() {
    return `/api/waiting/${encodeURIComponent(this.waiting.id)}`;
  }
}

customElements.define('held-list', HeldList);
