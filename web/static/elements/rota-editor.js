// @ts-check
import { words } from '../parts/words.js';
import { button, h, markButton } from './dom.js';
import { once } from './fields.js';
import { here, isoDay } from './oncall-times.js';
import { layerName } from './rota-picture.js';

const USUAL = ['primary', 'secondary', 'tier'];
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const MONDAY = Date.UTC(2024, 0, 1);
const DAY_MS = 24 * 3_600_000;
let number = 0;

/** The keeper writes the rules of her rota: layers, and in each who takes turns, from when, for how long. */
export function rotaEditor(role, doors, again) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const { members } = role;
  const layers = h('div', { class: 'layers' }, ...(role.rota?.layers ?? []).map((layer) => layerForm(layer, members, role)));
  const known = () => [...layers.children].map((each) => each.read().name);
  const add = button(words.t('rota.add_layer'), () => {
    const name = USUAL.find((usual) => !known().includes(usual)) ?? words.t('rota.layer');
    layers.append(layerForm({ name, rules: [] }, members, role));
  });
  const save = h('button', { type: 'submit', class: 'primary' }, words.t('rota.save'));
  const form = h('form', { class: 'rota-editor' }, h('p', { class: 'hint' }, words.t('rota.edit.lede', { zone: role.zone })), layers, h('div', { class: 'choices' }, add, save), trouble);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    once(save, trouble, async () => {
      await doors.put(`/api/roles/${encodeURIComponent(role.id)}`, { version: role.version, rota: { layers: [...layers.children].map((each) => each.read()) } });
      await again();
    });
  });
  return h('details', { open: !role.layers.length }, h('summary', {}, words.t('rota.edit')), form);
}

function layerForm({ name, rules }, members, role) {
  const id = `layer-${(number += 1)}`;
  const input = h('input', { id, required: true, maxlength: '40', value: USUAL.includes(name) ? layerName(name) : name, list: 'layer-names' });
  const list = h('div', { class: 'rules' }, ...rules.map((rule) => ruleForm(rule, members)));
  const add = button(words.t('rota.add_rule'), () => list.append(ruleForm({ doctors: [], from: isoDay(Date.now(), role.zone ?? here()), at: '08:00', every: 'days', n: 1 }, members)), { class: 'quiet' });
  const layer = h('fieldset', { class: 'layer' },
    h('legend', { class: 'unseen' }, words.t('rota.layer')),
    h('div', { class: 'inline' }, h('p', { class: 'labelled' }, h('label', { for: id }, words.t('rota.layer')), input), markButton('close', words.t('rota.drop_layer'), () => layer.remove())),
    list, add);
  if (!rules.length) add.click();
  const code = () => USUAL.find((usual) => layerName(usual) === input.value.trim()) ?? input.value.trim();
  return Object.assign(layer, { read: () => ({ name: code(), rules: [...list.children].map((each) => each.read()) }) });
}

function ruleForm(rule, members) {
  const turns = rule.doctors.map((team) => [...team]);
  const nameOf = (id) => members.find((one) => one.id === id)?.name ?? words.t('rota.left');
  const chosen = h('select', { 'aria-label': words.t('rota.who') }, ...members.map(({ id, name }) => h('option', { value: id }, name)));
  const list = h('ol', { class: 'turns', 'aria-label': words.t('rota.turns') });
  const draw = () => list.replaceChildren(...turns.map((team, index) => turn(team.map(nameOf).join(' + '), index, () => { turns.splice(index, 1); draw(); }, () => { turns.splice(index - 1, 0, ...turns.splice(index, 1)); draw(); })));
  const add = button(words.t('rota.add_turn'), () => { if (chosen.value) turns.push([chosen.value]); draw(); });
  const join = button(words.t('rota.add_together'), () => { const last = turns.at(-1); if (last && chosen.value && !last.includes(chosen.value)) last.push(chosen.value); draw(); }, { class: 'quiet' });
  const field = (label, type, value, more = {}) => {
    const id = `rule-${(number += 1)}`;
    const input = h('input', { id, type, value, ...more });
    return [h('p', { class: 'labelled' }, h('label', { for: id }, words.t(label)), input), input];
  };
  const [fromField, from] = field('rota.from', 'date', rule.from, { required: true });
  const [atField, at] = field('rota.at', 'time', rule.at, { required: true });
  const [nField, n] = field('rota.every', 'number', rule.n ?? 1, { min: '1', max: '52', required: true });
  const [untilField, until] = field('rota.until', 'time', rule.until ?? '');
  const every = h('select', { 'aria-label': words.t('rota.unit') }, ...['days', 'weeks'].map((unit) => h('option', { value: unit, selected: unit === (rule.every ?? 'days') }, words.t(`rota.${unit}`))));
  const boxes = DAYS.map((day, index) => h('label', { class: 'radio' }, h('input', { type: 'checkbox', value: day, checked: rule.days?.includes(day) }), h('span', {}, dayOf(index))));
  draw();
  const made = h('fieldset', { class: 'rule' },
    h('legend', {}, words.t('rota.turns')), list,
    members.length ? h('div', { class: 'choices' }, chosen, add, join) : h('p', { class: 'none' }, words.t('rota.no_members')),
    h('div', { class: 'side-by-side' }, fromField, atField, h('div', { class: 'inline' }, nField, every), untilField),
    h('fieldset', { class: 'days' }, h('legend', {}, words.t('rota.only')), ...boxes),
    button(words.t('rota.drop_rule'), () => made.remove(), { class: 'quiet' }));
  const days = () => boxes.map((box) => box.firstChild).filter(({ checked }) => checked).map(({ value }) => value);
  const read = () => ({ doctors: turns, from: from.value, at: at.value, every: every.value, n: Number(n.value), ...(days().length && { days: days() }), ...(until.value && { until: until.value }) });
  return Object.assign(made, { read });
}

function turn(names, index, drop, up) {
  return h('li', {}, h('span', {}, names), index ? markButton('send', words.t('rota.sooner', { who: names }), up) : '', markButton('close', words.t('rota.drop_turn', { who: names }), drop));
}

function dayOf(index) {
  return new Intl.DateTimeFormat(words.lang, { weekday: 'short', timeZone: 'UTC' }).format(MONDAY + index * DAY_MS);
}
