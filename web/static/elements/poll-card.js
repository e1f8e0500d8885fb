// @ts-check
import { words } from '../parts/words.js';
import { button, h } from './dom.js';
import { once } from './fields.js';
import { badge } from './message-row.js';
import { when } from './when.js';
import { closesIn } from './consult-figures.js';
import { drawn } from './consult-pool.js';

/**
 * A poll in the log: plain choices, and bars once the results are hers to see. What is being chosen stays while
 * others vote. A vote is anonymous: what was hers is asked from the server, which alone can tell.
 */
export class PollCard extends HTMLElement {
  #own = null;
  #counts = null;
  #votes = 0;
  #asked = '';
  #changing = false;
  #picked = new Set();

  show(entry, view) {
    this.given = [entry, view];
    if (entry.counts) this.#counts = entry.counts;
    this.#votes = Math.max(this.#votes, entry.votes ?? 0);
    this.#ask();
    this.#draw();
  }

  get #closed() {
    const [entry] = this.given;
    return !!entry.closed || Date.parse(entry.closes) <= Date.now();
  }

  /** What only she may know: her own vote, and the counts once they are shown to her. */
  async #ask() {
    const [entry, view] = this.given;
    const asked = `${entry.votes} ${this.#closed}`;
    if (asked === this.#asked || !view.log.room.joined) return;
    this.#asked = asked;
    try {
      const told = await view.log.act('tally', { seq: entry.seq });
      this.#learn(told);
    } catch {
      this.#asked = '';
    }
  }

  #learn({ own = this.#own, counts, votes }) {
    if (own) this.#own = own;
    if (counts) this.#counts = counts;
    this.#votes = votes ?? this.#votes;
    this.#draw();
  }

  #draw() {
    const [entry, { mine }] = this.given;
    const chosen = this.querySelector(':focus')?.dataset.key;
    const bars = this.#counts && !this.#changing;
    const form = !this.#closed && !bars && !(this.#own && !this.#changing);
    this.replaceChildren(
      h('header', { class: 'row-head' }, badge(entry.by), h('span', { class: 'name' }, entry.by.name), mine ? h('span', { class: 'you' }, words.t('row.you')) : '', when(entry.at)),
      h('h3', { class: 'question', dir: 'auto', id: `poll-${entry.seq}` }, entry.question),
      ...(form ? this.#form(entry) : bars ? this.#bars(entry) : this.#hidden(entry)),
      h('p', { class: 'foot' }, this.#foot(entry)),
      this.#acts(entry));
    if (chosen) this.querySelector(`[data-key="${chosen}"]`)?.focus({ preventScroll: true });
  }

  #form(entry) {
    const { choices, multiple, seq } = entry;
    const type = multiple ? 'checkbox' : 'radio';
    const trouble = h('p', { class: 'trouble', role: 'alert' });
    const options = choices.map((label, at) => h('label', { class: 'radio' },
      h('input', { type, name: `poll-${seq}`, value: String(at), checked: this.#picked.has(at), 'data-key': `choice-${at}` }), h('span', { dir: 'auto' }, label)));
    const vote = h('button', { type: 'submit', class: 'primary', 'data-key': 'vote' }, words.t(this.#own ? 'poll.change_yes' : 'poll.vote'));
    const form = h('form', { class: 'voting', 'aria-labelledby': `poll-${seq}` }, h('fieldset', { 'aria-labelledby': `poll-${seq}` }, ...options), trouble, h('div', { class: 'choices' }, vote, this.#changing ? this.#back() : ''));
    form.addEventListener('change', () => (this.#picked = picked(form)));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#vote(vote, trouble);
    });
    return [multiple ? h('p', { class: 'hint' }, words.t('poll.several')) : '', form];
  }

  async #vote(control, trouble) {
    const [entry, view] = this.given;
    if (!this.#picked.size) return void (trouble.textContent = words.t('poll.pick_one'));
    const told = await once(control, trouble, () => view.log.act('vote', { seq: entry.seq, choices: [...this.#picked].sort((a, b) => a - b) }));
    if (!told) return;
    this.#changing = false;
    this.#learn({ own: [...this.#picked], ...told });
  }

  #back() {
    return button(words.t('dialog.cancel'), () => this.#change(false), { class: 'quiet' });
  }

  #change(on) {
    this.#changing = on;
    this.#picked = new Set(this.#own ?? []);
    this.#draw();
  }

  #bars({ choices }) {
    const all = Math.max(1, this.#votes);
    const share = new Intl.NumberFormat(words.lang, { style: 'percent' });
    const rows = choices.map((label, at) => {
      const n = this.#counts[at] ?? 0;
      const own = this.#own?.includes(at);
      const figures = `${words.count('poll.votes', n)} · ${share.format(n / all)}`;
      return h('li', { class: own ? 'own' : '' },
        h('div', { class: 'bar-head' }, h('b', { dir: 'auto' }, label), h('span', { class: 'figures' }, figures)),
        drawn(n / all),
        own ? h('p', { class: 'place' }, words.t('poll.yours')) : '');
    });
    return [h('ol', { class: 'bars' }, ...rows)];
  }

  /** She has voted, or it is over, and the counts are not hers to see (yet). */
  #hidden({ choices }) {
    const own = (this.#own ?? []).map((at) => choices[at]).join(', ');
    return [h('ul', { class: 'plain-list' }, ...choices.map((label) => h('li', { dir: 'auto' }, label))), own ? h('p', { class: 'place' }, words.t('poll.your_vote', { own })) : ''];
  }

  #foot({ final, shown, closes }) {
    const parts = [words.count('poll.voted', this.#votes)];
    if (this.#closed) parts.push(words.t('poll.is_closed'));
    else {
      if (!this.#counts) parts.push(words.t(`poll.shown.${shown ?? 'voted'}`));
      if (final) parts.push(words.t('poll.is_final'));
      if (closes) parts.push(closesIn(closes));
    }
    return parts.join(' · ');
  }

  #acts(entry) {
    const [, { mine, log }] = this.given;
    if (this.#closed || this.#changing) return '';
    const trouble = h('p', { class: 'trouble', role: 'alert' });
    const change = this.#own && !entry.final && button(words.t('poll.change'), () => this.#change(true), { class: 'quiet', 'data-key': 'change' });
    const close = mine && button(words.t('poll.close'), ({ currentTarget }) => once(currentTarget, trouble, () => log.act('poll_close', { seq: entry.seq })), { class: 'quiet', 'data-key': 'close' });
    return change || close ? h('div', {}, h('div', { class: 'choices' }, change || '', close || ''), trouble) : '';
  }
}

function picked(form) {
  return new Set([...form.querySelectorAll('input:checked')].map(({ value }) => Number(value)));
}

customElements.define('poll-card', PollCard);
