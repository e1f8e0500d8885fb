// @ts-check
import { start } from '../parts/points.js';
import { words } from '../parts/words.js';
import { authorOf } from './message-row.js';
import { button, h, openDialog, write } from './dom.js';

/** Why an entry is reported, or hidden by a moderator: codes, worded by report.kind and reason. */
export const KINDS = ['patient_identifiable', 'dangerous_advice', 'harassment', 'advertising', 'not_a_doctor', 'other'];
const REASONED = new Set(['report', 'hide', 'mute']);
const MINUTES = ['60', '1440', '10080', '43200', 'none'];
const GENTLE = new Set(['report', 'talk.ask', 'reveal']);
const KEYS = ['palette', 'search', 'send', 'newline', 'last', 'rows', 'reply', 'edit', 'menu', 'delete', 'escape', 'help'];

/**
 * Asks before something is done, with an entry or without, and stays open until it is done.
 * `act(form)` does it with what was chosen: {kind, note}; what it throws is shown.
 */
export function askAbout({ what, entry, act }) {
  const said = h('p', { class: 'trouble', role: 'alert' });
  const reasons = REASONED.has(what) ? reasonList(what) : '';
  const note = what === 'report' ? noteField() : what === 'mute' ? muteFields() : '';
  const yes = h('button', { type: 'submit', class: GENTLE.has(what) ? 'primary' : 'danger' }, words.t(`${what}.yes`));
  const form = h('form', {},
    h('h2', {}, words.t(`${what}.title`)),
    entry ? h('blockquote', {}, h('p', { class: 'foot' }, authorOf(entry)), h('p', {}, start(entry.text ?? entry.question ?? '', 240))) : '',
    h('p', {}, words.t(`${what}.lede`)), reasons, note, said,
    h('div', { class: 'choices' }, yes, button(words.t('dialog.cancel'), () => dialog.close(), { class: 'quiet' })));
  const dialog = openDialog(words.t(`${what}.title`), { class: 'ask-about' }, form);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    yes.disabled = true;
    try {
      await act(Object.fromEntries(new FormData(form)));
      dialog.close();
    } catch (refusal) {
      write(said, words.refusal(refusal));
      yes.disabled = false;
    }
  });
}

export function help() {
  const keys = KEYS.map((key) => h('div', {}, h('dt', {}, h('kbd', {}, words.t(`help.${key}.key`))), h('dd', {}, words.t(`help.${key}`))));
  show('help.title', h('dl', { class: 'keys' }, ...keys), h('p', {}, words.t('help.touch')), h('p', {}, words.t('face.not')));
}

function show(title, ...children) {
  const close = () => dialog.close();
  const dialog = openDialog(words.t(title), {}, h('h2', {}, words.t(title)), ...children, h('div', { class: 'choices' }, button(words.t('dialog.close'), close, { class: 'primary', autofocus: true })));
}

function reasonList(what) {
  const prefix = what === 'report' ? 'report.kind' : 'reason';
  const radios = KINDS.map((kind, index) => h('label', { class: 'radio' },
    h('input', { type: 'radio', name: 'kind', value: kind, required: true, checked: index === 0 }), words.t(`${prefix}.${kind}`)));
  return h('fieldset', {}, h('legend', {}, words.t(`${what}.why`)), ...radios);
}

/** How long an author is muted, and where. */
function muteFields() {
  const times = MINUTES.map((minutes) => h('option', { value: minutes }, words.t(`mute.minutes.${minutes}`)));
  return h('div', {},
    h('p', { class: 'labelled' }, h('label', { for: 'minutes' }, words.t('mute.how_long')), h('select', { id: 'minutes', name: 'minutes' }, ...times)),
    h('label', { class: 'radio' }, h('input', { type: 'checkbox', name: 'everywhere' }), words.t('mute.everywhere')));
}

function noteField() {
  return h('p', { class: 'labelled' }, h('label', { for: 'note' }, words.t('report.note')), h('textarea', { id: 'note', name: 'note', rows: '2', maxlength: '500' }));
}
