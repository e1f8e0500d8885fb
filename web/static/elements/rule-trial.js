// @ts-check
import { addressOf } from '../parts/router.js';
import { words } from '../parts/words.js';
import { button, h, write } from './dom.js';
import { when } from './when.js';

const SAMPLES = 20;

/** What a rule would have done over the last week's log: asked for in stretches, so that it is seen how far it is. */
export class RuleTrial {
  #turn = 0;

  /** `rule()` gives the rule as it stands, or null. */
  constructor({ doors, titleOf, rule }) {
    Object.assign(this, { doors, titleOf, rule });
    this.start = button(words.t('moderation.dry_run'), () => this.#run());
    this.stop = button(words.t('moderation.dry_stop'), () => this.#halt(), { class: 'quiet', hidden: true });
    this.bar = h('progress', { max: '1', 'aria-label': words.t('moderation.dry_run'), hidden: true });
    this.said = h('p', { class: 'said', role: 'status' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.found = h('div', { class: 'trial-found' });
    this.element = h('div', { class: 'trial' }, this.bar, this.stop, this.said, this.trouble, this.found);
  }

  /** The rule was changed: what is shown is of another one. */
  stale() {
    if (!this.found.firstChild) return;
    this.found.replaceChildren();
    write(this.said, words.t('moderation.dry_stale'));
  }

  async #run() {
    const rule = this.rule();
    if (!rule) return;
    const turn = ++this.#turn;
    const sum = { seen: 0, met: 0, rooms: new Map(), samples: [] };
    this.found.replaceChildren();
    write(this.trouble, '');
    this.#running(true);
    try {
      for (let cursor; ; ) {
        const part = await this.doors.post('/api/rules/dry-run', { rule, ...(cursor && { cursor }) });
        if (turn !== this.#turn) return;
        add(sum, part);
        this.bar.value = part.of ? part.done / part.of : 1;
        write(this.said, words.t('moderation.dry_far', { seen: sum.seen, met: sum.met }));
        cursor = part.cursor;
        if (!cursor) break;
      }
      this.#show(sum);
    } catch (refusal) {
      if (turn === this.#turn) write(this.trouble, words.refusal(refusal));
    }
    if (turn === this.#turn) this.#running(false);
  }

  #halt() {
    this.#turn += 1;
    this.#running(false);
    write(this.said, words.t('moderation.dry_stopped'));
    this.start.focus();
  }

  #running(on) {
    this.bar.hidden = this.stop.hidden = !on;
    if (on) this.bar.value = 0;
  }

  #show({ seen, met, rooms, samples }) {
    write(this.said, met ? words.count('moderation.dry_met', met, { seen }) : words.t('moderation.dry_none', { seen }));
    if (!met) return;
    const counts = [...rooms].sort(([, one], [, other]) => other - one).map(([room, count]) => h('li', {}, `${this.titleOf(room)}: ${words.numbers.format(count)}`));
    const shown = samples.map(({ room, seq, at, text }) => h('li', {}, h('p', { class: 'foot' }, h('a', { href: addressOf({ name: 'room', room, seq }) }, this.titleOf(room)), ' · ', when(at)), h('blockquote', {}, h('p', { class: 'text', dir: 'auto' }, text))));
    this.found.replaceChildren(h('h4', {}, words.t('moderation.dry_rooms')), h('ul', { class: 'trial-rooms' }, ...counts), h('h4', {}, words.count('moderation.dry_samples', shown.length)), h('ul', { class: 'samples' }, ...shown));
  }
}

function add(sum, { seen, met, rooms, samples }) {
  sum.seen += seen;
  sum.met += met;
  for (const { room, count } of rooms) sum.rooms.set(room, (sum.rooms.get(room) ?? 0) + count);
  sum.samples.push(...samples.slice(0, SAMPLES - sum.samples.length));
}
