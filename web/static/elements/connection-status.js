// @ts-check
import { words } from '../parts/words.js';
import { h, icon, write } from './dom.js';

const PATIENCE_MS = 1200;
const GOOD_MS = 4000;
const DIRECT = 'socket';

/**
 * How the line stands, in one sentence; silent while all is well, and for short interruptions.
 * A line that goes a slower way says so as long as it does.
 */
export class ConnectionStatus extends HTMLElement {
  #timers = { trouble: 0, rest: 0 };
  #troubled = false;
  #way = DIRECT;

  connectedCallback() {
    if (this.firstChild) return;
    this.words = h('span', {});
    this.line = h('p', { role: 'status', class: 'status well' }, icon('wait'), this.words);
    this.append(this.line);
  }

  /** `state` as of the socket; `catching` while the room in sight is being brought up to date. */
  show({ name, way }, { offline, catching }) {
    clearTimeout(this.#timers.trouble);
    if (name === 'open' && !catching) return this.#well(way);
    const key = name === 'open' ? 'catching_up' : offline ? 'offline' : name;
    // A line that is back within a second is not worth a word.
    this.#timers.trouble = setTimeout(() => this.#trouble(key), this.#troubled || offline ? 0 : PATIENCE_MS);
  }

  #well(way) {
    this.#way = way;
    if (!this.#troubled && !this.#timers.rest) return this.#rest();
    if (!this.#troubled) return;
    this.#troubled = false;
    this.#say('good', words.t('connection.caught_up'));
    this.#timers.rest = setTimeout(() => this.#rest(), GOOD_MS);
  }

  #rest() {
    this.#timers.rest = 0;
    if (this.#way === DIRECT) this.#say('well', '');
    else this.#say('slower', words.t(`connection.${this.#way}`));
  }

  #trouble(key) {
    clearTimeout(this.#timers.rest);
    this.#timers.rest = 0;
    this.#troubled = true;
    this.#say('', words.t(`connection.${key}`));
  }

  #say(mood, text) {
    this.line.className = `status ${mood}`;
    write(this.words, text);
  }
}

customElements.define('connection-status', ConnectionStatus);
