// @ts-check
import { words } from '../parts/words.js';
import { h, icon, write } from './dom.js';

const PATIENCE_MS = 1200;

/** How the line stands, in one sentence; silent while all is well, and for short interruptions. */
export class ConnectionStatus extends HTMLElement {
  #timer = 0;
  #troubled = false;

  connectedCallback() {
    if (this.firstChild) return;
    this.words = h('span', {});
    this.line = h('p', { role: 'status', class: 'status' }, icon('wait'), this.words);
    this.line.classList.add('well');
    this.append(this.line);
  }

  /** `state` as of the socket; `catching` while the room in sight is being brought up to date. */
  show({ name }, { offline, catching }) {
    clearTimeout(this.#timer);
    if (name === 'open' && !catching) return this.#well();
    const key = name === 'open' ? 'catching_up' : offline ? 'offline' : name;
    // A line that is back within a second is not worth a word.
    this.#timer = setTimeout(() => this.#trouble(key), this.#troubled || offline ? 0 : PATIENCE_MS);
  }

  #well() {
    if (!this.#troubled) return;
    this.#troubled = false;
    write(this.words, words.t('connection.caught_up'));
    this.line.classList.add('good');
    this.#timer = setTimeout(() => {
      this.line.classList.add('well');
      write(this.words, '');
    }, 4000);
  }

  #trouble(key) {
    this.#troubled = true;
    this.line.classList.remove('well', 'good');
    write(this.words, words.t(`connection.${key}`));
  }
}

customElements.define('connection-status', ConnectionStatus);
