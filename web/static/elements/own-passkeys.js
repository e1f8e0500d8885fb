// @ts-check
import { words } from '../parts/words.js';
import { button, h, write } from './dom.js';
import { once } from './fields.js';
import { make, proved, usable } from './proof-form.js';
import { field } from './sign-in.js';
import { when } from './when.js';

/** Her passkeys: listed, added, removed. `doors` is the Api. */
export function ownPasskeys(doors) {
  const said = h('p', { class: 'said', role: 'status' });
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const list = h('ul', { class: 'own-things', tabindex: '-1' });
  const show = async () => {
    const { passkeys } = await doors.get('/api/passkeys');
    list.replaceChildren(...(passkeys.length ? passkeys.map(row) : [h('li', { class: 'none' }, words.t('account.no_passkeys'))]));
  };
  const row = (one) => {
    const remove = ({ currentTarget }) => once(currentTarget, trouble, async () => {
      if (!(await proved(doors, () => doors.delete(`/api/passkeys/${encodeURIComponent(one.id)}`)))) return;
      await show();
      list.focus();
    });
    const used = one.used ? [' · ', words.t('account.used'), ' ', when(one.used)] : [];
    return h('li', {},
      h('div', {}, h('span', {}, one.label), one.stopped ? h('b', { class: 'stopped' }, ` ${words.t('account.passkey_stopped')}`) : '',
        h('p', { class: 'foot' }, words.t('account.since'), ' ', when(one.created), ...used)),
      button(words.t('account.remove'), remove, { class: 'quiet', 'aria-label': `${words.t('account.remove_passkey')} ${one.label}` }));
  };
  once(list, trouble, show);
  return h('section', {}, h('h3', {}, words.t('account.passkeys')), h('p', {}, words.t('account.passkeys_lede')), list,
    usable() ? adding(doors, { said, trouble, show }) : h('p', { class: 'foot' }, words.t('account.passkeys_none_here')), trouble, said);
}

function adding(doors, { said, trouble, show }) {
  const submit = h('button', { type: 'submit' }, words.t('account.passkey_add'));
  const form = h('form', { class: 'inline' }, field('passkey', words.t('account.passkey_label'), { maxlength: '60', autocomplete: 'off' }), submit);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    write(said, '');
    once(submit, trouble, async () => {
      const label = form.elements.passkey.value;
      const options = await proved(doors, () => doors.post('/api/passkeys/options', { label }));
      if (!options) return;
      const credential = await make(options).catch((refusal) => (refusal.code === 'unused' ? null : Promise.reject(refusal)));
      if (!credential) return;
      await doors.post('/api/passkeys', { label, credential });
      form.reset();
      write(said, words.t('account.passkey_added'));
      await show();
    });
  });
  return form;
}
