// @ts-check
import { words } from '../parts/words.js';
import { button, h, openDialog, tell, write } from './dom.js';
import { once } from './fields.js';
import { later } from './later.js';
import { proved } from './proof-form.js';

const KEPT_MS = 60_000;

/** Her data to take along, and leaving for good. Tells `leaving` {is} meanwhile, and `left` once she has. */
export function ownLeaving(doors) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const said = h('p', { class: 'said', role: 'status' });
  const take = ({ currentTarget }) => once(currentTarget, trouble, async () => {
    write(said, '');
    const data = await proved(doors, () => doors.get('/api/own-data'));
    if (!data) return;
    download('lounge-own-data.json', JSON.stringify(data, null, 1));
    write(said, words.t('account.done'));
  });
  const section = h('section', {}, h('h3', {}, words.t('account.data')), h('p', {}, words.t('account.data_lede')),
    h('div', { class: 'choices' }, button(words.t('account.data_take'), take), button(words.t('account.leave_begin'), () => ask(doors, section), { class: 'danger' })), trouble, said);
  return section;
}

async function ask(doors, section) {
  await later('dialogs');
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const yes = button(words.t('account.leave_yes'), () => once(yes, trouble, async () => {
    const left = await leaving(doors, section);
    if (!left) return;
    dialog.close();
    tell(section, 'left');
  }), { class: 'danger' });
  const no = button(words.t('dialog.cancel'), () => dialog.close(), { class: 'quiet', autofocus: true });
  const dialog = openDialog(words.t('account.leave'), {}, h('h2', {}, words.t('account.leave')), h('p', {}, words.t('account.leave_lede')), h('p', {}, words.t('account.leave_stays')), trouble, h('div', { class: 'choices' }, yes, no));
}

/** The line closes before the answer comes, and must not be taken for the end of a session. */
async function leaving(doors, section) {
  tell(section, 'leaving', { is: true });
  let left = null;
  try {
    left = await proved(doors, () => doors.post('/api/leaving'));
  } finally {
    if (!left) tell(section, 'leaving', { is: false });
  }
  return left;
}

function download(name, text) {
  const link = h('a', { href: URL.createObjectURL(new Blob([text], { type: 'application/json' })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
