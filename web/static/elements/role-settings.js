// @ts-check
import { words } from '../parts/words.js';
import { button, h, write } from './dom.js';
import { choice, once } from './fields.js';
import { layerName } from './rota-picture.js';
import { field } from './sign-in.js';

const WAITS = [60, 120, 180, 300, 600, 900];
const REPEATS = [60, 120, 300];
const ROUNDS = [1, 2, 3];

/** Who may be on the rota: asked by e-mail address, and by her own word. */
export function memberList({ id, members, mine }, doors, again) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const said = h('p', { class: 'said', role: 'status' });
  const path = `/api/roles/${encodeURIComponent(id)}/members`;
  const drop = (one) => ({ currentTarget }) => once(currentTarget, trouble, async () => {
    await doors.post(path, { drop: one.id });
    await again();
  });
  const rows = members.map((one) => h('li', {},
    h('span', {}, one.name, one.reachable ? '' : h('span', { class: 'bare' }, ` · ${words.t('rota.member.unreachable')}`)),
    mine === 'keeper' ? button(words.t('rota.member.drop'), drop(one), { class: 'quiet', 'aria-label': words.t('rota.member.drop_who', { who: one.name }) }) : ''));
  const send = h('button', { type: 'submit' }, words.t('rota.member.ask'));
  const form = h('form', { class: 'inline' }, field('member-email', words.t('rota.member.email'), { type: 'email', maxlength: '254', autocomplete: 'off' }), send);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    once(send, trouble, async () => {
      await doors.post(path, { email: form.elements['member-email'].value });
      form.reset();
      write(said, words.t('rota.member.done'));
    });
  });
  return h('details', {}, h('summary', {}, words.t('rota.members', { n: members.length })), h('ul', { class: 'own-things' }, ...rows), form, said, trouble);
}

/** The number, who may page, the night in which routine waits, and the steps of a page that nobody takes. */
export function roleSettings(role, doors, again) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const save = h('button', { type: 'submit', class: 'primary' }, words.t('rota.save'));
  const steps = h('ol', { class: 'steps' }, ...role.policy.steps.map((step) => stepForm(step, role.layers)));
  const add = button(words.t('rota.step.add'), () => steps.append(stepForm({ to: ['everyone'], wait_s: 300 }, role.layers)), { class: 'quiet' });
  const rounds = roundsChoice(role.policy.rounds ?? 1);
  const form = h('form', { class: 'rota-form' },
    field('role-number', words.t('rota.number'), { type: 'tel', value: role.number, autocomplete: 'off' }, words.t('rota.number.hint')),
    field('role-rule', words.t('rota.rule'), { value: role.rule ?? '', required: false, autocomplete: 'off', spellcheck: 'false' }, words.t('rota.rule.hint')),
    h('div', { class: 'side-by-side' }, field('night-from', words.t('rota.night.from'), { type: 'time', value: role.night.from }), field('night-to', words.t('rota.night.to'), { type: 'time', value: role.night.to })),
    h('h4', {}, words.t('rota.steps')), h('p', { class: 'hint' }, words.t('rota.steps.lede')), steps, add, rounds,
    h('div', { class: 'choices' }, save), trouble);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const { 'role-number': number, 'role-rule': rule, 'night-from': from, 'night-to': to } = form.elements;
    once(save, trouble, async () => {
      const policy = { ...role.policy, steps: [...steps.children].map((each) => each.read()), rounds: Number(rounds.querySelector('select').value) };
      await doors.put(`/api/roles/${encodeURIComponent(role.id)}`, { version: role.version, number: number.value, rule: rule.value || null, night: { from: from.value, to: to.value }, policy });
      await again();
    });
  });
  return h('details', {}, h('summary', {}, words.t('rota.settings')), form);
}

function stepForm(step, layers) {
  const key = `step-${Math.random().toString(36).slice(2, 8)}`;
  const offered = [...new Set([...layers, ...step.to, 'everyone'])].map((name) => [name, layerName(name)]);
  const repeats = [['', words.t('rota.step.once')], ...minutes(REPEATS, step.repeat_s)];
  const everyone = h('input', { type: 'checkbox', checked: !!step.everyone });
  const made = h('li', {}, h('div', { class: 'side-by-side' },
    choice(`${key}-to`, words.t('rota.step.to'), offered), choice(`${key}-wait`, words.t('rota.step.wait'), minutes(WAITS, step.wait_s)), choice(`${key}-repeat`, words.t('rota.step.repeat'), repeats),
    h('label', { class: 'radio' }, everyone, h('span', {}, words.t('rota.step.everyone'))), button(words.t('rota.step.drop'), () => made.remove(), { class: 'quiet' })));
  const [to, wait, repeat] = made.querySelectorAll('select');
  to.value = step.to[0];
  wait.value = String(step.wait_s);
  repeat.value = String(step.repeat_s ?? '');
  // What was arranged by other means, several layers in one step, stays unless another is chosen.
  const read = () => ({ ...step, to: to.value === step.to[0] ? step.to : [to.value], wait_s: Number(wait.value), repeat_s: Number(repeat.value) || null, everyone: everyone.checked });
  return Object.assign(made, { read });
}

/** How often the steps are gone through; more, where that was arranged by other means, stays. */
function roundsChoice(rounds) {
  const made = choice('role-rounds', words.t('rota.rounds'), [...new Set([...ROUNDS, rounds])].map((n) => [n, words.count('rota.rounds.n', n)]));
  made.querySelector('select').value = String(rounds);
  return made;
}

/** [[seconds, "2 min"]] of the usual ones, and of the one that is there. */
function minutes(usual, known) {
  return [...new Set([...usual, known ?? usual[0]])].sort((one, other) => one - other).map((seconds) => [seconds, words.t('rota.step.minutes', { n: seconds / 60 })]);
}
