// @ts-check
import { addressOf } from '../parts/router.js';
import { isOfTwo } from '../parts/talk.js';
import { words } from '../parts/words.js';
import { button, h, icon, put } from './dom.js';
import { placeName, quoteOf } from './entry-quote.js';
import { once } from './fields.js';
import { when } from './when.js';

/** An author asks another moderator to look again at what was done: claimed, then upheld or lifted. */
export class AppealCard {
  #shown = '';

  constructor({ doors, titleOf, again, say }) {
    Object.assign(this, { doors, titleOf, again, say });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.body = h('div', { class: 'report-said' });
    this.bar = h('div', { class: 'claim' });
    this.element = h('li', { class: 'report', tabindex: '-1' }, this.body, this.bar, this.trouble);
  }

  show(appeal) {
    const now = JSON.stringify(appeal);
    if (now === this.#shown) return;
    this.#shown = now;
    this.appeal = appeal;
    const inside = this.bar.contains(document.activeElement);
    this.body.replaceChildren(...this.#said());
    this.bar.replaceChildren(...this.#bar());
    put(this.element, 'aria-label', [...this.body.firstElementChild.children].map((each) => each.textContent).join(', '));
    if (inside) (this.bar.querySelector('button') ?? this.element).focus();
  }

  keys() {
    const press = (name) => () => this.bar.querySelector(`[data-do="${name}"]`)?.click();
    return { c: press('claim'), u: press('upheld'), l: press('lifted') };
  }

  #said() {
    const { act, reason, room, at, text, event, words: said } = this.appeal;
    return [
      h('p', { class: 'report-head' }, h('b', {}, words.coded('moderation.appealed', act)), reason ? h('span', {}, words.coded('reason', reason)) : '', h('span', {}, placeName(room, this.titleOf)), when(at)),
      h('p', { class: 'note' }, words.t('moderation.appeal_says'), ' ', h('q', { dir: 'auto' }, text)),
      said ? h('blockquote', {}, h('p', { class: 'text', dir: 'auto' }, said)) : event ? quoteOf(event) : '',
    ];
  }

  #bar() {
    const { claimed, claimed_until: until, room, seq } = this.appeal;
    const time = until ? words.hour(until) : '';
    const place = isOfTwo(room) || !seq ? '' : h('a', { class: 'to-place', href: addressOf({ name: 'room', room, seq }) }, words.t('moderation.place'));
    if (claimed === 'other') return [h('p', { class: 'held-by' }, icon('wait'), words.t('moderation.claimed_other', { until: time })), place];
    if (claimed !== 'mine') return [h('div', { class: 'choices' }, this.#do('claim', 'primary'), place)];
    return [
      h('div', { class: 'choices' }, this.#do('lifted', 'primary', 'moderation.appeal_lifted'), this.#do('upheld', '', 'moderation.appeal_upheld'), place),
      h('p', { class: 'held-by' }, icon('check'), words.t('moderation.claimed_mine', { until: time }), ' ', this.#do('release', 'quiet')),
    ];
  }

  #do(name, look, key = `moderation.${name}`) {
    return button(words.t(key), ({ currentTarget }) => this.#ask(currentTarget, name), { class: look, data: { do: name } });
  }

  #ask(control, name) {
    const closes = name === 'upheld' || name === 'lifted';
    const path = `/api/appeals/${encodeURIComponent(this.appeal.id)}/${closes ? 'close' : name}`;
    return once(control, this.trouble, async () => {
      try {
        await this.doors.post(path, closes ? { outcome: name } : {});
        this.say(words.t(closes ? 'moderation.appeal_closed' : `moderation.${name}_done`));
      } finally {
        await this.again();
      }
    });
  }
}
