// @ts-check
import { start } from '../parts/points.js';
import { addressOf } from '../parts/router.js';
import { words } from '../parts/words.js';
import { urgencyMark, waitingFor } from './consult-figures.js';
import { h, hidden, write } from './dom.js';

const SHOWN = 5;
const TITLE = 90;
const AGAIN_MS = 60_000;
const SOON_MS = 3_000;

/** The cases that wait for opinions, under one's rooms: those without any first, then by urgency and waiting time. */
export class ConsultsWaiting extends HTMLElement {
  #asked = 0;
  #timer = 0;
  #due = 0;
  /** Those that were told last. */
  known = [];

  /** `doors` is the Api. Looks by itself once a minute while it can be seen. */
  open({ doors }) {
    this.doors = doors;
    this.list = h('ul', { class: 'rows-of-rooms' });
    this.none = h('p', { class: 'none' });
    this.all = h('a', { class: 'button quiet', href: '/consults' }, words.t('consults.all'));
    this.append(
      h('div', { class: 'list-head' }, h('h2', {}, words.t('consults.waiting')), this.all),
      this.list, this.none);
    this.#timer = setInterval(() => this.look(), AGAIN_MS);
    this.look();
  }

  /** The question of a case that waits; undefined for one that was not told of. */
  titleOf(room) {
    const question = this.known.find(({ id }) => id === room)?.question;
    return question && start(question, TITLE);
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    clearTimeout(this.#due);
  }

  /** Asks again where it can be seen, at most every few seconds; what is asked for sooner is asked for then. */
  look() {
    if (this.#due || document.hidden || !this.checkVisibility()) return;
    this.#due = setTimeout(() => this.#look(), Math.max(0, this.#asked + SOON_MS - Date.now()));
  }

  async #look() {
    this.#due = 0;
    this.#asked = Date.now();
    try {
      const { consults } = await this.doors.get(`/api/consults?phase=open&limit=${SHOWN}`);
      this.#show(consults);
    } catch {
      // What is shown stays; the line itself says when there is no network.
    }
  }

  #show(consults) {
    this.known = consults;
    write(this.none, consults.length ? '' : words.t('consults.none_waiting'));
    // Nothing moves under a pointer or a finger.
    if (this.list.matches(':hover, :focus-within') && consults.length) return;
    this.list.replaceChildren(...consults.slice(0, SHOWN).map(row));
  }
}

function row({ id, question, urgency, opinions, mine, waiting_since: since }) {
  const told = [mine && words.t('case.mine'), opinions > 0 && words.count('case.opinions', opinions)].filter(Boolean).join(' · ');
  return h('li', {}, h('a', { href: addressOf({ name: 'room', room: id }) },
    h('span', { class: 'lines' },
      h('span', { class: 'title', dir: 'auto' }, start(question ?? words.t('consult.some'), TITLE)), hidden('. '),
      h('span', { class: 'band' }, urgencyMark(urgency), ' · ', told ? `${told} · ` : '', waitingFor(since, 'case.since')))));
}

customElements.define('consults-waiting', ConsultsWaiting);
