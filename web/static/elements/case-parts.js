// @ts-check
import { words } from '../parts/words.js';
import { lasting } from './consult-figures.js';
import { h } from './dom.js';
import { choice } from './fields.js';

const URGENCIES = ['routine', 'today', 'now'];
const CODES = {
  age: ['newborn', 'infant', 'child', 'adolescent', '18-39', '40-59', '60-79', '80+'],
  sex: ['female', 'male', 'other'],
};
const ENOUGH = [3, 5, 9, 15, 25, 50];
const USUAL_ENOUGH = 9;
const MINUTES = [20, 60, 240, 720, 1440, 4320, 10080];

/** A section of the form, under its heading. */
export function part(name, ...children) {
  return h('section', { 'aria-labelledby': `case-${name}` }, h('h3', { id: `case-${name}` }, words.t(`case.part.${name}`)), ...children);
}

/** A choice of codes, of which none need be said. */
export function ofCodes(name) {
  return choice(name, words.t(`case.${name}`), [['', words.t('case.not_said')], ...CODES[name].map((code) => [code, words.t(`case.${name}.${code}`)])]);
}

/** How soon an opinion is wanted, and what that means for the sealing. */
export function urgencies() {
  const radios = URGENCIES.map((urgency) => h('label', { class: `radio ${urgency}` }, h('input', { type: 'radio', name: 'urgency', value: urgency, checked: urgency === 'routine', 'aria-describedby': `urgency-${urgency}` }),
    h('span', {}, h('b', {}, words.t(`case.urgency.${urgency}`)), h('span', { class: 'hint', id: `urgency-${urgency}` }, words.t(`case.urgency.${urgency}.hint`)))));
  return h('fieldset', { class: 'urgencies' }, h('legend', {}, words.t('case.urgency')), ...radios);
}

/** After how many opinions, and after how long at the latest, all are unsealed; the first choice is the usual. */
export function sealing() {
  const enough = ENOUGH.map((n) => [n === USUAL_ENOUGH ? '' : n, n === USUAL_ENOUGH ? words.t('case.seal.usual_n', { n }) : words.numbers.format(n)]);
  return h('details', {}, h('summary', {}, words.t('case.seal')), h('p', { class: 'hint' }, words.t('case.seal.lede')),
    h('div', { class: 'side-by-side' },
      choice('enough', words.t('case.seal.enough'), enough.sort(([one], [other]) => (one === '' ? -1 : other === '' ? 1 : 0))),
      choice('closes_in', words.t('case.seal.closes'), [['', ''], ...MINUTES.map((minutes) => [minutes, lasting(minutes * 60)])])));
}
