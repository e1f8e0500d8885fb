// @ts-check
import { words } from '../parts/words.js';
import { make, usable, use } from '../parts/passkeys.js';
import { button, h, openDialog, put, write } from './dom.js';
import { later } from './later.js';
import { field } from './sign-in.js';

export { make, usable, use };

/** What may be typed, by the way that the server asks for. */
const TYPED = {
  password: () => field('password', words.t('signin.password'), { type: 'password', autocomplete: 'current-password' }),
  totp: () => field('totp', words.t('second.totp'), CODE, words.t('second.totp_hint')),
  recovery: () => field('recovery', words.t('second.recovery'), { autocomplete: 'off', spellcheck: 'false', maxlength: '60' }),
};
const CODE = { autocomplete: 'one-time-code', inputmode: 'numeric', maxlength: '10' };

/**
 * Asks a doctor to show who she is, in one of the ways that `asks` names. `show(proof)` sends it;
 * `byPasskey()`, where given, gets the options for her passkeys.
 */
export function proofForm({ asks, label, passkeyLabel, show, byPasskey }) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const typed = h('div', { class: 'typed' });
  const submit = h('button', { type: 'submit', class: byPasskey && asks.includes('passkey') ? '' : 'primary' }, label);
  const form = h('form', { class: 'sign proof' });
  const attempt = async (control, proof) => {
    put(control, 'aria-busy', 'true');
    write(trouble, '');
    try {
      await show(await proof());
    } catch (refusal) {
      write(trouble, refusal.code === 'unused' ? words.t('signin.passkey_none') : words.refusal(refusal));
    } finally {
      put(control, 'aria-busy', null);
    }
  };
  const passkey = byPasskey && asks.includes('passkey') && usable()
    ? button(passkeyLabel, ({ currentTarget }) => attempt(currentTarget, async () => ({ passkey: await use(await byPasskey()) })), { class: 'primary' })
    : '';
  const swap = asks.includes('recovery') ? button('', () => fill(!byCode), { class: 'quiet' }) : '';
  let byCode = true;
  const fill = (totp) => {
    byCode = totp;
    const ways = [asks.includes('password') && 'password', asks.includes('totp') && (totp ? 'totp' : 'recovery')].filter(Boolean);
    typed.replaceChildren(...ways.map((way) => TYPED[way]()));
    if (swap) write(swap, words.t(totp ? 'second.use_recovery' : 'second.use_totp'));
  };
  fill(true);
  form.append(trouble, passkey, typed, submit, swap);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    attempt(submit, async () => Object.fromEntries(new FormData(form)));
  });
  return form;
}

/** Does `act`; where the server wants to know once more who asks, asks her, and does it then. */
export async function proved(doors, act) {
  try {
    return await act();
  } catch (refusal) {
    if (refusal.code !== 'forbidden' || !refusal.asks) throw refusal;
    if (!(await provedNow(doors, refusal.asks))) return null;
    return act();
  }
}

/** @returns {Promise<boolean>} false when she closes the dialog */
async function provedNow(doors, asks) {
  await later('dialogs');
  return new Promise((resolve) => {
    const form = proofForm({
      asks,
      label: words.t('second.go_on'),
      passkeyLabel: words.t('prove.passkey'),
      byPasskey: () => doors.post('/api/session/proof'),
      show: async (proof) => {
        await doors.post('/api/session/fresh', proof);
        resolve(true);
        dialog.close();
      },
    });
    const cancel = button(words.t('dialog.cancel'), () => dialog.close(), { class: 'quiet' });
    const dialog = openDialog(words.t('prove.title'), {}, h('h2', {}, words.t('prove.title')), h('p', {}, words.t('prove.lede')), form, h('div', { class: 'choices' }, cancel));
    dialog.addEventListener('close', () => resolve(false));
  });
}
