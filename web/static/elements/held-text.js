// @ts-check
import { length, pieces } from '../parts/points.js';
import { words } from '../parts/words.js';
import { h, icon, put, write } from './dom.js';
import { whyWords } from './message-composer.js';

const NEAR = 60;

/** A labelled text of a form. A mirror behind it gives it its height and carries the guard's marks under the very words. */
export class HeldText {
  /** `limit` in code points. */
  constructor(name, label, { limit, hint = '', required = false }) {
    const id = `field-${name}`;
    this.name = name;
    this.label = label;
    this.limit = limit;
    this.mirror = h('div', { class: 'mirror', 'aria-hidden': 'true' });
    this.text = h('textarea', { id, name, rows: '1', autocomplete: 'off', 'aria-required': required && 'true', 'aria-describedby': `${id}-hint ${id}-verdict ${id}-count` });
    this.verdict = h('div', { class: 'verdict', id: `${id}-verdict`, hidden: true });
    this.count = h('p', { class: 'count', id: `${id}-count`, role: 'status' });
    this.element = h('div', { class: 'labelled' },
      h('label', { for: id }, label), hint ? h('span', { class: 'hint', id: `${id}-hint` }, hint) : '',
      h('div', { class: 'field' }, this.mirror, this.text), this.count, this.verdict);
    this.text.addEventListener('input', () => this.clear());
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

  /** Marks what the guard holds, spans of the text as it was sent, and says why. */
  hold(spans) {
    const sent = this.value;
    this.text.value = sent;
    this.#reflect(spans);
    const held = pieces(sent, spans).filter((piece) => piece.span);
    this.#judge(h('p', {}, icon('shield'), ' ', h('b', {}, words.t('compose.held')), ' ', words.t('compose.held_what')),
      h('ul', {}, ...held.map(({ text, span }) => h('li', {}, h('mark', {}, text), ' ', whyWords(span)))));
  }

  /** Says what is wrong with it, and goes there. */
  refuse(why) {
    this.#judge(h('p', {}, why));
    this.focus();
  }

  clear() {
    this.#reflect([]);
    this.verdict.hidden = true;
    this.verdict.replaceChildren();
    const left = this.limit - length(this.value);
    write(this.count, left > NEAR ? '' : words.count(left < 0 ? 'compose.over' : 'compose.left', Math.abs(left)));
    this.count.classList.toggle('over', left < 0);
    put(this.text, 'aria-invalid', left < 0 ? 'true' : null);
  }

  focus() {
    this.text.focus();
  }

  #judge(...children) {
    this.verdict.replaceChildren(...children);
    this.verdict.hidden = false;
    put(this.text, 'aria-invalid', 'true');
  }

  #reflect(spans) {
    const parts = pieces(this.text.value, spans);
    this.mirror.replaceChildren(...parts.map(({ text, span }) => (span ? h('mark', {}, text) : text)), ' ');
  }
}
