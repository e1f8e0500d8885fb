// @ts-check
import { nextHour } from '../parts/rota.js';
import { words } from '../parts/words.js';
import { button, h, icon } from './dom.js';
import { choice, once } from './fields.js';
import { fieldValue, moment, stretch } from './oncall-times.js';
import { layerName } from './rota-picture.js';

const HOUR_MS = 3_600_000;
const MORNING = 8;
const SHOWN = 6;

/** Her shifts, each with its service; `shifts` are {starts, ends, layer, role: {service}}. */
export function shiftList(shifts, now = Date.now()) {
  if (!shifts.length) return h('p', { class: 'none' }, words.t('oncall.no_shifts'));
  const rows = shifts.slice(0, SHOWN).map(({ starts, ends, layer, role }) => {
    const on = starts <= now;
    return h('li', { class: on ? 'on' : '' },
      h('b', {}, on ? icon('check') : '', on ? words.t('oncall.on_until', { at: moment(ends) }) : stretch(starts, ends)),
      h('span', { class: 'foot' }, `${role.service} · ${layerName(layer)}`));
  });
  return h('ul', { class: 'own-shifts' }, ...rows);
}

/** "I am on call until": one tap for the usual ends, a field for another. `take` sends the change. */
export function untilButtons({ id, service, layers }, take, trouble) {
  const own = layers.length > 1 ? choice(`until-layer-${id}`, words.t('rota.layer'), layers.map((name) => [name, layerName(name)])) : '';
  const layer = () => (own ? own.querySelector('select').value : layers[0]);
  const until = (ends) => ({ currentTarget }) => once(currentTarget, trouble, () => take({ kind: 'until', layer: layer(), starts: new Date().toISOString(), ends: new Date(ends()).toISOString() }));
  const usual = [[() => nextHour(MORNING), moment(nextHour(MORNING))], ...[4, 12].map((hours) => [() => Date.now() + hours * HOUR_MS, words.t('oncall.hours', { n: hours })])];
  const field = `until-${id}`;
  const input = h('input', { type: 'datetime-local', id: field, required: true, min: fieldValue(Date.now()), value: fieldValue(nextHour(MORNING)) });
  const form = h('form', { class: 'inline' }, h('p', { class: 'labelled' }, h('label', { for: field }, words.t('oncall.until_other')), input), h('button', { type: 'submit' }, words.t('oncall.take')));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    until(() => Date.parse(input.value))({ currentTarget: form.querySelector('button') });
  });
  return h('div', { class: 'until' }, h('h4', {}, words.t('oncall.until', { service })), own,
    h('div', { class: 'choices' }, ...usual.map(([ends, label]) => button(label, until(ends)))),
    h('details', {}, h('summary', {}, words.t('oncall.until_another')), form));
}
