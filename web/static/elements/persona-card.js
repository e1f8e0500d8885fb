// @ts-check
import { words } from '../parts/words.js';
import { button, h, openDialog } from './dom.js';
import { once } from './fields.js';
import { badge } from './message-row.js';

/**
 * Somebody as this room knows her: name, badge, how often she helped here. `about` as of the server;
 * `ignore(on)`, `talk` and `reveal` act; `closed` is told when nobody looks any more.
 */
export function openPersona({ entry, about, mayTalk, mayReveal, ignore, talk, reveal, closed }) {
  const { by, helped, own, ignored, retired } = { by: entry.by, ...about };
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const close = () => dialog.close();
  const doing = (key, act, attributes) => {
    const control = button(words.t(key), () => once(control, trouble, act).then((ok) => ok && close()), attributes);
    return control;
  };
  const act = (key, what, attributes) => doing(key, async () => (await what(), true), attributes);
  const others = own ? [h('p', {}, words.t('persona.own'))] : [
    h('div', { class: 'persona-acts' },
      mayTalk ? button(words.t('action.talk'), () => (close(), talk()), {}) : '',
      mayReveal ? act('persona.reveal', reveal, { 'aria-describedby': 'reveal-hint' }) : '',
      h('p', { class: 'hint', id: 'reveal-hint' }, words.t(mayReveal ? 'persona.reveal_hint' : 'persona.reveal_where')),
      act(ignored ? 'persona.unignore' : 'persona.ignore', () => ignore(!ignored), { 'aria-describedby': 'ignore-hint' }),
      h('p', { class: 'hint', id: 'ignore-hint' }, words.t('persona.ignore_hint'))),
  ];
  const dialog = openDialog(words.t('persona.title'), { class: 'persona-card' },
    h('h2', {}, by.name),
    h('p', {}, badge(by)),
    h('p', {}, words.t(`persona.as.${by.as ?? 'anonymous'}`)),
    h('p', {}, helpedWords(helped)),
    retired ? h('p', {}, words.t('persona.retired')) : '',
    trouble, ...others,
    h('div', { class: 'choices' }, button(words.t('dialog.close'), close, { class: 'primary', autofocus: true })));
  dialog.addEventListener('close', closed);
}

/** Often enough to say so, and never how often exactly. */
function helpedWords({ min = 0, max } = {}) {
  if (!min && !max) return words.t('persona.helped_not');
  if (max === undefined || max === null) return words.t('persona.helped_least', { min });
  return words.t('persona.helped', { min, max });
}
