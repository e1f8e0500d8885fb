// @ts-check
import { Examining } from '../parts/examining.js';
import { length, moved, pieces, unit } from '../parts/spans.js';
import { words } from '../parts/words.js';
import { button, h, icon, put, tell, write } from './dom.js';

/**
 * What the guard says of the text in a field: under its very words while it is written, and in a box with the
 * reasons, what may stand there instead, and her own word that this is not a patient. `mirror` lies behind the
 * field, if it has one. The server's word is the one that counts: this only shows it early.
 */
export class FieldVerdict {
  /** Whether it is longer than it may be. */
  over = false;
  #strict = false;
  #waived = new Set();
  #spans = [];
  #text = '';
  #held = null;
  #send = null;
  #shown = null;
  #marked = [];
  #refused = '';

  /** `limit` in code points. */
  constructor({ field, mirror, id, limit }) {
    Object.assign(this, { field, mirror, limit });
    this.box = h('div', { class: 'verdict', id, hidden: true, tabindex: '0', role: 'group', 'aria-label': words.t('guard.verdict') });
    this.aside = h('p', { class: 'unchecked', role: 'status' });
    this.voice = h('p', { class: 'unseen', role: 'status' });
    this.examining = new Examining({ ask: (text) => this.#ask(text), told: (verdict, text) => this.#told(verdict, text) });
  }

  /** Whether all that is marked is what she has said is no patient's. */
  get notPatient() {
    return this.#marked.length > 0 && this.#marked.every(({ text, span }) => this.#isSoft(span) && this.#waived.has(text));
  }

  get isMarked() {
    return this.#marked.length > 0;
  }

  /** The text has changed: what still stands of it keeps its mark. */
  typed() {
    const text = this.field.value;
    if (text !== this.#text) this.#refused = '';
    this.#spans = moved(this.#text, text, this.#spans);
    this.#text = text;
    if (!this.#spans.length) [this.#held, this.#send] = [null, null];
    if (!text.trim()) this.#forget();
    this.#draw();
    if (length(text) <= this.limit) this.examining.typed(text);
  }

  /** From now on her word lets nothing pass, or does again. */
  bind(strict) {
    this.#strict = strict;
    this.#draw();
  }

  /** The field holds another text, or none: nothing is known of it. */
  clear() {
    this.#spans = [];
    this.#forget();
    this.typed();
  }

  /** The server held the text that the field holds: why, in its words. `send` says it again with her word. */
  hold({ spans, why = '', send = null }) {
    this.#text = this.field.value;
    [this.#spans, this.#held, this.#send] = [spans, why, send];
    this.examining.knows(this.#text);
    this.#draw();
  }

  /** Says what else is wrong with the text. */
  refuse(why) {
    [this.#refused, this.#text] = [why, this.field.value];
    this.#draw();
  }

  #forget() {
    this.#waived.clear();
    [this.#held, this.#send] = [null, null];
    write(this.aside, '');
  }

  #ask(text) {
    const asked = { text };
    tell(this.field, 'examine', asked);
    return asked.answer ?? Promise.reject(new Error('nobody answers yet'));
  }

  #told({ spans, names_checked: checked }, text) {
    [this.#spans, this.#text] = [spans, text];
    if (!spans.length) [this.#held, this.#send] = [null, null];
    write(this.aside, checked ? '' : words.t('guard.names_unchecked'));
    this.#draw();
  }

  #draw() {
    const parts = pieces(this.#text, this.#spans);
    this.#marked = parts.filter(({ span }) => span);
    const state = this.notPatient ? 'waived' : this.#marked.every(({ span }) => this.#isSoft(span)) ? 'soft' : 'hard';
    this.mirror?.replaceChildren(...parts.map((part) => (part.span ? marked(part, state) : part.text)), ' ');
    put(this.field, 'aria-invalid', this.over || this.#refused || (this.#marked.length && state !== 'waived') ? 'true' : null);
    const shown = JSON.stringify([state, this.#refused, this.#held, ...this.#marked.map(({ text, span: { start, end, ...span } }) => [text, span])]);
    // Nothing is drawn anew under a finger, nor read out again, for one letter more.
    if (shown === this.#shown) return;
    this.#shown = shown;
    const refused = this.#refused ? [h('p', {}, icon('warn'), ' ', this.#refused)] : [];
    const judged = !this.#marked.length ? [] : state === 'waived' ? this.#waivedWords() : this.#judged(state);
    const wasHidden = this.box.hidden;
    this.box.hidden = !refused.length && !judged.length;
    this.box.className = `verdict ${refused.length ? 'hard' : state}`;
    this.box.replaceChildren(...refused, ...judged);
    // In a form it stands below the field, perhaps out of sight.
    if (wasHidden && !this.box.hidden && document.activeElement === this.field) this.box.scrollIntoView({ block: 'nearest' });
    write(this.voice, !judged.length || state === 'waived' || this.#held !== null ? '' : words.count('guard.marked', this.#marked.length));
  }

  #judged(state) {
    const title = this.#held !== null ? 'compose.held' : state === 'hard' ? 'guard.will_hold' : 'guard.look';
    const more = this.#held === null ? '' : this.#held || words.t('compose.held_what');
    const several = this.#marked.filter(({ span }) => span.instead).length > 1;
    const waive = this.#send ? 'guard.not_patient_send' : 'guard.not_patient';
    return [
      h('p', {}, icon('shield'), ' ', h('b', {}, words.t(title)), ' ', more),
      h('ul', {}, ...[...byReason(this.#marked)].map(([why, found]) => h('li', {}, ...found.map((part) => [this.#chip(part, state), ' ']), h('span', { class: 'why' }, why)))),
      h('div', { class: 'choices' },
        several && button(words.t('guard.replace_all'), () => this.#exchange(() => true)),
        state === 'soft' && button(words.t(waive), () => this.#waive(), { class: 'waive', 'aria-describedby': `${this.box.id}-seen` }),
        state === 'soft' && h('span', { class: 'hint', id: `${this.box.id}-seen` }, words.t('guard.not_patient_hint'))),
    ];
  }

  /** One press, and it reads otherwise. */
  #chip(part, state) {
    const { text, span: { instead } } = part;
    if (!instead) return marked(part, state);
    const label = words.t('guard.replace', { text, instead });
    const same = (one) => one.text === text && one.span.instead === instead;
    return h('button', { type: 'button', class: 'chip', 'aria-label': label, title: label, on: { click: () => this.#exchange(same) } }, marked(part, state), ' → ', h('b', {}, instead));
  }

  #waivedWords() {
    return [h('p', {}, icon('check'), ' ', words.t('guard.waived'), ' ', button(words.t('guard.unwaive'), () => this.#unwaive(), { class: 'quiet' }))];
  }

  /** From the last to the first, as if it were typed, so that each can be undone. */
  #exchange(which) {
    const { field } = this;
    field.focus();
    for (const { span } of this.#marked.filter((one) => one.span.instead && which(one)).reverse()) {
      field.setSelectionRange(unit(field.value, span.start), unit(field.value, span.end));
      if (document.execCommand('insertText', false, span.instead)) continue;
      field.setRangeText(span.instead);
      tell(field, 'input');
    }
  }

  #isSoft(span) {
    return !this.#strict && isSoft(span);
  }

  #waive() {
    for (const { text } of this.#marked) this.#waived.add(text);
    const send = this.#send;
    this.#draw();
    this.field.focus();
    send?.();
  }

  #unwaive() {
    this.#waived.clear();
    this.#draw();
    this.field.focus();
  }
}

/** Why the guard marks a span, in words. */
function whyWords({ why, kind }) {
  if (why) return words.has(why) ? words.t(why) : why;
  return words.coded('guard', kind);
}

function byReason(parts) {
  const found = new Map();
  for (const part of parts) found.set(whyWords(part.span), [...(found.get(whyWords(part.span)) ?? []), part]);
  return found;
}

function isSoft({ level }) {
  return level === 'soft';
}

function marked({ text, span }, state) {
  return h('mark', { class: state === 'waived' ? state : isSoft(span) ? 'soft' : 'hard' }, text);
}
