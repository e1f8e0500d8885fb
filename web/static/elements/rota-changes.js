// @ts-check
import { words } from '../parts/words.js';
import { button, h } from './dom.js';
import { choice, once } from './fields.js';
import { fieldValue, isoDay, momentOf, stretch } from './oncall-times.js';
import { layerName } from './rota-picture.js';

const DAY_MS = 24 * 3_600_000;
/** What may be done about a change: it waits for her word, or is hers to end. */
const ANSWERS = { answer: [['agree', 'primary'], ['decline', 'quiet']], end: [['withdraw', 'quiet']], '': [] };

/** Where the rota does not hold, or would not if it were agreed to; what is asked of her is answered here. */
export function changeList(role, doors, again) {
  const { changes, nameOf, id, zone } = role;
  if (!changes.length) return h('p', { class: 'none' }, words.t('rota.no_changes'));
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const turn = (one, answer) => ({ currentTarget }) => once(currentTarget, trouble, async () => {
    await doors.post(`/api/roles/${encodeURIComponent(id)}/changes/${encodeURIComponent(one.id)}`, { answer });
    await again();
  });
  const rows = changes.map((one) => h('li', {},
    h('p', {}, h('b', {}, stretch(one.starts, one.ends, zone)), ' · ', [one.layer && layerName(one.layer), changeWords(one, nameOf)].filter(Boolean).join(' · ')),
    h('p', { class: 'foot' }, words.coded('rota.state', one.state)),
    h('div', { class: 'choices' }, ...ANSWERS[one.mine ?? ''].map(([answer, look]) => button(words.t(`rota.answer.${answer}`), turn(one, answer), { class: look })))));
  return h('div', {}, h('ul', { class: 'changes' }, ...rows), trouble);
}

function changeWords({ kind, doctor, instead_of: instead }, nameOf) {
  return words.t(`rota.change.${kind}`, { who: doctor ? nameOf(doctor) : '', instead: instead ? nameOf(instead) : words.t('rota.whole_layer') });
}

/** To give a shift away, to take one, to be away; the keeper also puts somebody on. */
export function changeForms(role, change) {
  const { members, shifts, you, mine, nameOf, layers, zone } = role;
  const others = members.filter((one) => one.id !== you).map(({ id, name }) => [id, name]);
  const coming = shifts.filter(({ ends }) => ends > Date.now());
  const give = coming.filter(({ doctors }) => doctors.includes(you)).map((each) => shiftOption(each, zone));
  const take = coming.flatMap((each) => each.doctors.filter((id) => id !== you).map((id) => shiftOption(each, zone, id, nameOf(id))));
  const whole = layers.map((name) => [name, layerName(name)]);
  return [
    you && give.length && others.length && form('give', [choice('give-shift', words.t('rota.which'), give), choice('give-to', words.t('rota.to'), others)],
      (fields) => ({ kind: 'swap', ...shiftOf(fields['give-shift'].value), doctor: fields['give-to'].value, instead_of: you }), change),
    you && take.length && form('take', [choice('take-shift', words.t('rota.which'), take)],
      (fields) => ({ kind: 'swap', ...shiftOf(fields['take-shift'].value), doctor: you }), change),
    you && form('vacation', times('vacation', zone), (fields) => ({ kind: 'vacation', ...span(fields, 'vacation', zone), instead_of: you }), change),
    mine === 'keeper' && whole.length && members.length && form('override', [choice('override-layer', words.t('rota.layer'), whole), choice('override-who', words.t('rota.who'), members.map(({ id, name }) => [id, name])), ...times('override', zone)],
      (fields) => ({ kind: 'override', layer: fields['override-layer'].value, doctor: fields['override-who'].value, ...span(fields, 'override', zone) }), change),
  ].filter(Boolean);
}

function shiftOption({ starts, ends, layer }, zone, instead, name) {
  const value = JSON.stringify({ layer, starts: new Date(starts).toISOString(), ends: new Date(ends).toISOString(), ...(instead && { instead_of: instead }) });
  return [value, [stretch(starts, ends, zone), layerName(layer), name].filter(Boolean).join(' · ')];
}

function shiftOf(value) {
  return JSON.parse(value);
}

function form(kind, fields, read, change) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const send = h('button', { type: 'submit' }, words.t(`rota.${kind}.send`));
  const made = h('form', { class: 'rota-form' }, h('p', { class: 'hint' }, words.t(`rota.${kind}.lede`)), ...fields, send, trouble);
  made.addEventListener('submit', (event) => {
    event.preventDefault();
    once(send, trouble, () => change(read(made.elements)));
  });
  return h('details', {}, h('summary', {}, words.t(`rota.${kind}`)), made);
}

/** From and until, by the clock of the role. */
function times(kind, zone) {
  const field = (name, at) => {
    const id = `${kind}-${name}`;
    return h('p', { class: 'labelled' }, h('label', { for: id }, words.t('rota.in_zone', { what: words.t(`rota.${name}`), zone })), h('input', { id, name: id, type: 'datetime-local', required: true, value: fieldValue(at, zone) }));
  };
  const [tomorrow, next] = [1, 2].map((n) => momentOf(`${isoDay(Date.now() + n * DAY_MS, zone)}T08:00`, zone));
  return [field('starts', tomorrow), field('ends', next)];
}

function span(fields, kind, zone) {
  const at = (name) => new Date(momentOf(fields[`${kind}-${name}`].value, zone)).toISOString();
  return { starts: at('starts'), ends: at('ends') };
}
