// @ts-check
import { h } from './dom.js';

/** What the first room is read without, each with the sheets it wants. */
const LATER = {
  'sign-in': 'sign-in',
  'lock-screen': 'sign-in',
  'waiting-page': 'sign-in joining',
  'apply-page': 'sign-in joining',
  'joining-screens': 'sign-in joining',
  'registrar-board': 'sign-in joining',
  'about-lounge': 'dialogs',
  'face-chooser': 'dialogs faces',
  'persona-card': 'dialogs faces',
  'search-sheet': 'sheets',
  'account-sheet': 'sheets joining consults',
  'moderation-board': 'sheets',
  'row-menu': 'dialogs',
  'message-composer': 'message-composer',
  'pending-row': 'message-composer',
  'notice-card': 'notices',
  dialogs: 'dialogs',
  'talk-bar': 'talk',
  palette: 'dialogs',
  'consult-card': 'consults',
  'consult-board': 'sheets consults',
  'consult-form': 'dialogs faces consults message-composer',
  'consults-waiting': 'consults',
  'poll-card': 'polls',
  'poll-form': 'dialogs polls',
  'consult-bar': 'consult-room consults',
  'consult-case': 'consult-room consults',
  'consult-pool': 'consult-room polls',
  'consult-end': 'consult-room',
  'consult-forms': 'dialogs consult-room message-composer',
};
const worn = new Map();

/** A module of elements and its style, fetched when they are first wanted. */
export async function later(name) {
  const [module] = await Promise.all([import(`./${name}.js`), ...LATER[name].split(' ').map(wear)]);
  return module;
}

/** Fetches everything there is time for now: what is wanted next may be wanted without a network. */
export function ahead() {
  for (const name of Object.keys(LATER)) later(name).catch(() => {});
}

function wear(sheet) {
  if (!worn.has(sheet)) worn.set(sheet, put(new URL(`../css/${sheet}.css`, import.meta.url).href));
  return worn.get(sheet);
}

function put(href) {
  return new Promise((resolve) => {
    const link = h('link', { rel: 'stylesheet', href, on: { load: resolve, error: resolve } });
    document.head.append(link);
  });
}
