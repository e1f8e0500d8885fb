// @ts-check
import { h } from './dom.js';

const KEPT = 20;
const BATCH_MS = 400;
const READ_OUT = 4;

/** Reads out, politely and once, what screen readers would not notice. One for the whole page. */
export class Announcer extends HTMLElement {
  #due = [];
  #timer = 0;

  connectedCallback() {
    this.className = 'unseen';
    this.setAttribute('aria-live', 'polite');
    this.setAttribute('aria-relevant', 'additions');
  }

  /** `summary(n)` words a burst of more than four, which nobody could follow one by one. */
  say(text, summary) {
    this.#due.push({ text, summary });
    this.#timer ||= setTimeout(() => this.#speak(), BATCH_MS);
  }

  #speak() {
    const due = this.#due.splice(0);
    this.#timer = 0;
    const burst = due.length > READ_OUT && due[0].summary;
    const texts = burst ? [due[0].summary(due.length)] : due.map(({ text }) => text);
    this.append(...texts.map((text) => h('p', {}, text)));
    while (this.childElementCount > KEPT) this.firstElementChild.remove();
  }
}

customElements.define('lounge-announcer', Announcer);
