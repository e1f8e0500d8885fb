// @ts-check
import { words } from '../parts/words.js';
import { asked, standAt, stateLine, stepLine, tellState, urgencyMark } from './consult-figures.js';
import { h } from './dom.js';
import { badge } from './message-row.js';
import { when } from './when.js';

const FACTS = ['decision', 'age', 'sex', 'presentation', 'findings', 'tried'];

/** The case as its author told it: the question, and the facts as a list of terms. */
export class ConsultCase extends HTMLElement {
  /** `entry` is a `consult.open` as it stands. */
  show(entry, { mine }) {
    if (!this.firstChild) this.#build(entry);
    this.you.hidden = !mine;
    this.unsaid.hidden = mine || !!entry.by.badge?.country;
    standAt(this.steps, entry.state);
    tellState(this.standing, entry);
  }

  #build(entry) {
    const { at, by, question, specialties, urgency } = entry;
    this.steps = stepLine();
    this.standing = stateLine();
    this.you = h('span', { class: 'you' }, words.t('row.you'));
    this.unsaid = h('p', { class: 'hint' }, words.t('licence.asker_unsaid'));
    const facts = FACTS.filter((name) => entry[name]).map((name) => fact(name, entry[name]));
    this.append(
      h('p', { class: 'case-head' }, urgencyMark(urgency), h('span', { class: 'case-by' }, badge(by), ' ', h('span', { class: 'name' }, by.name)), this.you, when(at)),
      h('h4', { class: 'case-question', dir: 'auto' }, question),
      facts.length ? h('dl', { class: 'case-facts' }, ...facts) : '',
      h('p', { class: 'foot' }, asked(specialties)),
      this.unsaid, this.steps, this.standing);
  }
}

/** Age and sex are codes; the rest is as it was written. */
function fact(name, value) {
  return h('div', {}, h('dt', {}, words.t(`case.${name}`)), h('dd', { dir: 'auto' }, words.coded(`case.${name}`, value)));
}

customElements.define('consult-case', ConsultCase);
