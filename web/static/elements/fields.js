// @ts-check
import { words } from '../parts/words.js';
import { h, put } from './dom.js';

/** A labelled choice of [[value, title]]; `hint` is read out with it. */
export function choice(name, label, options, attributes = {}, hint = '') {
  const id = `field-${name}`;
  const described = hint ? { 'aria-describedby': `${id}-hint` } : {};
  const select = h('select', { id, name, ...described, ...attributes }, ...options.map(([value, title]) => h('option', { value }, title)));
  return h('p', { class: 'labelled' }, h('label', { for: id }, label), select, hint ? h('span', { id: `${id}-hint`, class: 'hint' }, hint) : '');
}

/** Does `act` once for a press of `control`; what refuses it is said in `said`. @returns its answer, or null */
export async function once(control, said, act) {
  if (control.hasAttribute('aria-busy')) return null;
  put(control, 'aria-busy', 'true');
  said.textContent = '';
  try {
    return await act();
  } catch (refusal) {
    said.textContent = words.refusal(refusal);
    return null;
  } finally {
    put(control, 'aria-busy', null);
  }
}

/** What a form holds, without what was left empty. */
export function filled(form) {
  return Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ''));
}

/** The bodies that license doctors of a country, [[id, title]]; an id begins with its country. */
export function bodiesOf(country) {
  return words.choices('bodies').filter(([id]) => id.slice(0, 2).toUpperCase() === country);
}

/** "ON" of "ca-on.cpso": the region that a body licenses for, if it is one of a country's regions. */
export function regionOf(body = '') {
  return /^[a-z]{2}-([a-z0-9]+)\./.exec(body)?.[1].toUpperCase();
}
