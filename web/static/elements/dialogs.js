// @ts-check
import { start } from '../parts/points.js';
import { words } from '../parts/words.js';
import { authorOf } from './message-row.js';
import { button, h, openDialog, write } from './dom.js';

/** Why an entry is reported, or something is done about it: codes, worded by report.kind and reason. */
export const KINDS = ['patient_identifiable', 'dangerous_advice', 'harassment', 'advertising', 'not_a_doctor', 'other'];
const GENTLE = new Set(['talk.ask', 'reveal']);
const KEYS = ['palette', 'search', 'send', 'newline', 'last', 'rows', 'reply', 'edit', 'menu', 'delete', 'page', 'escape', 'help'];

/**
 * Asks before something is done, with an entry or without, and stays open until it is done.
 * `act()` does it; what it throws is shown.
 */
export function askAbout({ what, entry, act }) {
  const said = h('p', { class: 'trouble', role: 'alert' });
  const yes = h('button', { type: 'submit', class: GENTLE.has(what) ? 'primary' : 'danger' }, words.t(`${what}.yes`));
  const form = h('form', {},
    h('h2', {}, words.t(`${what}.title`)),
    entry ? h('blockquote', {}, h('p', { class: 'foot' }, authorOf(entry)), h('p', {}, start(entry.text ?? entry.question ?? '', 240))) : '',
    h('p', {}, words.t(`${what}.lede`)), said,
    h('div', { class: 'choices' }, yes, button(words.t('dialog.cancel'), () => dialog.close(), { class: 'quiet' })));
  const dialog = openDialog(words.t(`${what}.title`), { class: 'ask-about' }, form);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    yes.disabled = true;
    try {
      await act();
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
