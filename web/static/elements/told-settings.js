// @ts-check
import { words } from '../parts/words.js';
import { h, write } from './dom.js';
import { choice, once } from './fields.js';

const KINDS = ['consult_opinion', 'consult_question', 'consult_closed', 'consult_changed', 'consult_outcome', 'replied', 'consult_asked'];
const ASKED = ['', 'now', 'today', 'routine'];
const MOST = [1, 3, 5, 10, 20, 50];
const ASKED_MOST = [1, 3, 5, 10, 20];
const NIGHT = { from: '22:00', to: '07:00' };

/** What a doctor is told of by e-mail, when not, and how often at most. `doors` is the Api. */
export function toldSettings(doors) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const said = h('p', { class: 'said', role: 'status' });
  const yes = h('button', { type: 'submit' }, words.t('told.save'));
  const zone = h('p', { class: 'hint' });
  const hours = h('div', { class: 'inline' }, clock('from'), clock('to'));
  // Nothing is chosen before it is known what was: a late answer would take it back.
  const all = h('fieldset', { disabled: true },
    h('fieldset', {}, h('legend', {}, words.t('told.mail')), ...KINDS.map((kind) => box('mail', words.t(`told.kind.${kind}`), kind))),
    choice('most', words.t('told.most'), numbers(MOST)),
    choice('asked', words.t('told.asked'), ASKED.map((urgency) => [urgency, words.t(`told.asked.${urgency || 'never'}`)])),
    choice('asked_most', words.t('told.asked_most'), numbers(ASKED_MOST)),
    box('is_quiet', words.t('told.quiet'), 'on'), hours, zone,
    yes);
  const form = h('form', { class: 'sign told' }, all, trouble, said);
  const { elements } = form;
  const draw = () => {
    hours.hidden = zone.hidden = !elements.is_quiet.checked;
    elements.asked_most.closest('p').hidden = !elements.asked.value;
  };
  const fill = ({ mail = [], most = 10, asked = null, asked_most: askedMost = 3, quiet = null }) => {
    for (const each of elements.mail) each.checked = mail.includes(each.value);
    offer(elements.most, most);
    offer(elements.asked_most, askedMost);
    elements.asked.value = asked ?? '';
    elements.is_quiet.checked = !!quiet;
    elements.from.value = (quiet ?? NIGHT).from;
    elements.to.value = (quiet ?? NIGHT).to;
    zone.dataset.zone = quiet?.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'UTC';
    write(zone, words.t('told.quiet.zone', { zone: zone.dataset.zone }));
    all.disabled = false;
    draw();
  };
  form.addEventListener('change', () => {
    write(said, '');
    draw();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    once(yes, trouble, async () => {
      await doors.put('/api/told', wishes(elements, zone.dataset.zone));
      write(said, words.t('told.saved'));
    });
  });
  draw();
  once(yes, trouble, async () => fill(await doors.get('/api/told')));
  return h('section', {}, h('h3', {}, words.t('told.title')), h('p', {}, words.t('told.lede')), form);
}

function wishes({ mail, most, asked, asked_most: askedMost, is_quiet: isQuiet, from, to }, zone) {
  return {
    mail: [...mail].filter(({ checked }) => checked).map(({ value }) => value),
    most: Number(most.value),
    asked: asked.value || null,
    asked_most: Number(askedMost.value),
    quiet: isQuiet.checked ? { from: from.value, to: to.value, zone } : null,
  };
}

/** Chooses a number; one that was set elsewhere is offered too. */
function offer(select, n) {
  if (![...select.options].some(({ value }) => Number(value) === n)) select.add(h('option', { value: n }, words.numbers.format(n)));
  select.value = String(n);
}

function numbers(values) {
  return values.map((n) => [n, words.numbers.format(n)]);
}

function box(name, label, value) {
  return h('label', { class: 'radio' }, h('input', { type: 'checkbox', name, value }), h('span', {}, label));
}

function clock(name) {
  const id = `told-${name}`;
  return h('p', { class: 'labelled' }, h('label', { for: id }, words.t(`told.quiet.${name}`)), h('input', { id, name, type: 'time', required: true }));
}
