// @ts-check
import { addressOf } from '../parts/router.js';
import { words } from '../parts/words.js';
import { asked, standAt, stateLine, stepLine, tellState, urgencyMark } from './consult-figures.js';
import { h, write } from './dom.js';
import { badge } from './message-row.js';
import { when } from './when.js';

/** A case as it is announced in a room: it stays where it is while what it tells changes. */
export class ConsultCard extends HTMLElement {
  /** `entry` is a `consult.card` as it stands. */
  show(entry) {
    if (!this.firstChild) this.#build(entry);
    const { phase } = entry.state;
    this.dataset.phase = phase;
    standAt(this.steps, entry.state);
    tellState(this.standing, entry);
    write(this.go, words.t(`case.go.${phase}`));
  }

  #build({ by, at, consult, question, specialties, urgency }) {
    this.steps = stepLine();
    this.standing = stateLine();
    this.go = h('a', { class: 'button primary', href: addressOf({ name: 'room', room: consult }) });
    this.append(
      h('p', { class: 'case-head' }, urgencyMark(urgency), h('span', { class: 'case-by' }, badge(by), ' ', h('span', { class: 'name' }, by.name)), when(at)),
      h('h4', { class: 'case-question', dir: 'auto' }, question),
      h('p', { class: 'foot' }, asked(specialties)),
      this.steps, this.standing,
      h('p', { class: 'choices' }, this.go));
  }
}

customElements.define('consult-card', ConsultCard);
