// @ts-check
import { h } from './dom.js';

/** What the first room is read without, each with the styles it wants. */
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
  'account-sheet': 'sheets joining consults oncall',
  'moderation-board': 'sheets dialogs consults message-composer moderation',
  'acts-dialog': 'sheets dialogs message-composer moderation',
  'row-menu': 'dialogs',
  'message-composer': 'message-composer',
  'pending-row': 'message-composer',
  'notice-card': 'notices moderated',
  'house-line': 'moderated',
  'caution-note': 'moderated',
  'pin-list': 'moderated',
  'report-form': 'dialogs message-composer moderated',
  dialogs: 'dialogs',
  'talk-bar': 'talk',
  palette: 'dialogs',
  'consult-card': 'consults',
  'consult-board': 'sheets consults',
  'oncall-board': 'sheets consults oncall',
  'page-card': 'pages consults',
  'page-widened': 'pages',
  'page-bar': 'pages consult-room',
  'page-alerts': 'pages consults',
  'page-form': 'pages dialogs consults message-composer',
  'call-panel': 'pages consults',
  'ask-form': 'pages dialogs message-composer',
  'consult-form': 'dialogs faces consults message-composer',
  'consults-waiting': 'consults',
  'poll-card': 'polls',
  'poll-form': 'dialogs polls message-composer',
  'consult-bar': 'consult-room consults',
  'consult-case': 'consult-room consults',
  'consult-pool': 'consult-room polls',
  'consult-end': 'consult-room',
  'consult-forms': 'dialogs consult-room message-composer',
};
const worn = new Map();

/** The styles of an element, once they are there. */
export function dress(name) {
  return Promise.all(LATER[name].split(' ').map(wear));
}

/** The names of all of them. */
export function all() {
  return Object.keys(LATER);
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
