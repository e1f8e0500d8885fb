// @ts-check
import { length } from '../parts/spans.js';
import { words } from '../parts/words.js';
import { h, write } from './dom.js';
import { FieldVerdict } from './field-verdict.js';

const NEAR = 60;

/** A labelled text of a form. A mirror behind it gives it its height and carries the guard's marks under the very words. */
export class HeldText {
  /** `limit` in code points. */
  constructor(name, label, { limit, hint = '', required = false }) {
    const id = `field-${name}`;
    this.name = name;
    this.label = label;
    this.limit = limit;
    const mirror = h('div', { class: 'mirror', 'aria-hidden': 'true' });
    this.text = h('textarea', { id, name, rows: '1', autocomplete: 'off', 'aria-required': required && 'true', 'aria-describedby': `${id}-hint ${id}-verdict ${id}-count` });
    this.verdict = new FieldVerdict({ field: this.text, mirror, id: `${id}-verdict`, limit });
    this.count = h('p', { class: 'count', id: `${id}-count`, role: 'status' });
    this.element = h('div', { class: 'labelled' },
      h('label', { for: id }, label), hint ? h('span', { class: 'hint', id: `${id}-hint` }, hint) : '',
      h('div', { class: 'field' }, mirror, this.text), this.count, this.verdict.aside, this.verdict.voice, this.verdict.box);
    this.text.addEventListener('input', () => this.#typed());
  }

  get value() {
    return this.text.value.trim();
  }

  set value(text) {
    this.text.value = text;
    this.clear();
  }

  get isOver() {
    return length(this.value) > this.limit;
  }

  /** Whether all that the guard marks in it is, by her word, no patient's. */
  get notPatient() {
    return this.verdict.notPatient;
  }

  get isMarked() {
    return this.verdict.isMarked;
  }

  /** Marks what the guard holds, spans of the text as it was sent, and says why. */
  hold(spans) {
    this.text.value = this.value;
    this.verdict.hold({ spans });
  }

  /** Says what is wrong with it, and goes there. */
  refuse(why) {
    this.verdict.refuse(why);
    this.focus();
  }

  clear() {
    this.#counted();
    this.verdict.clear();
  }

  focus() {
    this.text.focus();
  }

  #typed() {
    this.#counted();
    this.verdict.typed();
  }

  #counted() {
    const left = this.limit - length(this.value);
    write(this.count, left > NEAR ? '' : words.count(left < 0 ? 'compose.over' : 'compose.left', Math.abs(left)));
    this.count.classList.toggle('over', left < 0);
    this.verdict.over = left < 0;
  }
}

/** What a command says of its texts: that what is marked in them is no patient's, where she said so of all of it. */
export function notPatient(...texts) {
  const said = texts.some((text) => text.notPatient) && texts.every((text) => text.notPatient || !text.isMarked);
  return said ? { not_patient: true } : {};
}
