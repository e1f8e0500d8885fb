// @ts-check
import { words } from '../parts/words.js';
import { button, h, openDialog } from './dom.js';
import { once } from './fields.js';
import { later } from './later.js';
import { field } from './sign-in.js';

/** A member leaves the rota. `parted(key)` comes once it is done. */
export function leaving(role, doors, parted) {
  const leave = () => doors.post(`${pathOf(role)}/members`, { agrees: false });
  return h('p', {}, button(words.t('rota.leave'), () => sure('leave', {}, leave, () => parted('oncall.left')), { class: 'danger' }));
}

/** The keeper gives the role to a member, or ends it. `parted(key)` comes once it is done. */
export function office(role, doors, parted) {
  const change = (what) => doors.put(pathOf(role), { version: role.version, ...what });
  const close = button(words.t('rota.close'), () => sure('close', {}, () => change({ closed: true }), () => parted('oncall.closed')), { class: 'danger' });
  const form = h('form', { class: 'inline' }, field('heir', words.t('rota.hand.to'), { type: 'email', maxlength: '254', autocomplete: 'off' }), h('button', { type: 'submit' }, words.t('rota.hand')));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const email = form.elements.heir.value;
    sure('hand', { email }, () => change({ keeper: email }), () => parted('oncall.handed'));
  });
  return h('details', {}, h('summary', {}, words.t('rota.office')), form, h('p', {}, close));
}

function pathOf({ id }) {
  return `/api/roles/${encodeURIComponent(id)}`;
}

/** Asks before `act`, and stays open until it is done; `then` comes once nothing lies over the page. */
async function sure(what, said, act, then) {
  await later('dialogs');
  const title = words.t(`rota.${what}`);
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const yes = button(words.t(`rota.${what}.yes`), () => once(yes, trouble, async () => {
    await act();
    dialog.close();
    await then();
  }), { class: 'danger' });
  const no = button(words.t('dialog.cancel'), () => dialog.close(), { class: 'quiet', autofocus: true });
  const dialog = openDialog(title, {}, h('h2', {}, title), h('p', {}, words.t(`rota.${what}.lede`, said)), trouble, h('div', { class: 'choices' }, yes, no));
}
