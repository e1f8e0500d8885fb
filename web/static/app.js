// @ts-check
import { Api } from './parts/api.js';
import { Memory } from './parts/memory.js';
import { Shelf } from './parts/shelf.js';
import { words } from './parts/words.js';
import { button, h } from './elements/dom.js';

const RETRY_MS = 3000;
const REVOKED = 4503;
const PROTOCOL = 4510;
const root = document.documentElement;
const demo = root.dataset.demo === 'demo';
let look = new Shelf(localStorage, 'lounge.');
const doors = new Api();
let leave = () => {};
/** What is kept on a computer that others use: only as long as this page. */
const passing = { local: new Memory(), session: new Memory() };
/** What the pages before the rooms need; `parting`: she is leaving for good, and says so herself. */
const here = { doors, demo, passing, banner, changeLanguage, gone, open, patient, signOut, speak, chosen: null, parting: false };

/** From whatever was to where the doctor belongs: the door, the waiting page, or inside. */
async function open(reason) {
  leave();
  leave = () => {};
  const session = await patient(() => doors.get('/api/session').catch(nobody));
  await speak(session?.language ?? here.chosen ?? root.lang);
  if (reason && session?.verified) return stop(reason);
  const [name, told] = [pageOf(session), takeTold()];
  if (!name) return inside(session, told);
  const { Pages } = await patient(() => import('./pages.js'));
  return new Pages(here)[name]({ session, reason: reason ?? told });
}

/** The page that stands before the rooms, if one does. */
function pageOf(session) {
  if (session?.locked) return 'lock';
  if (!session) return location.pathname === '/apply' ? 'apply' : 'door';
  if (!session.verified) return 'wait';
  if (location.pathname === '/registrar' && session.roles.includes('registrar')) return 'registrar';
  return session.missing?.includes('acceptance') ? 'accept' : null;
}

/** Why another house's sign-in led nowhere: its return says so in the address, which is told once. */
function takeTold() {
  const code = new URLSearchParams(location.search).get('oidc');
  if (code === null) return undefined;
  history.replaceState(null, '', location.pathname);
  return words.has(`oidc.${code}`) ? words.t(`oidc.${code}`) : undefined;
}

/** A 401 is an answer: nobody is signed in, or somebody whose session only waits to be unlocked. */
function nobody(refusal) {
  if (refusal.code !== 'signed_out') throw refusal;
  return refusal.asks ? { locked: refusal.asks } : null;
}

/** Tries until there is an answer: a page that was just opened has nothing else to show. */
async function patient(act) {
  for (;;) {
    try {
      return await act();
    } catch (problem) {
      console.warn('lounge: no answer yet', problem.message);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function speak(lang) {
  const known = lang === 'fr' ? 'fr' : 'en';
  if (words.lang !== known || !words.has('app.name')) await patient(() => words.load(known));
  root.lang = known;
}

async function lockUp() {
  leave();
  leave = () => {};
  document.body.replaceChildren(h('main', { class: 'page' }, h('h1', {}, words.t('lock.title'))));
  await patient(() => doors.post('/api/session/lock').catch(nobody));
  await open();
}

async function inside(session, told) {
  const { enter } = await patient(() => import('./inside.js'));
  if (told) history.replaceState(null, '', '/account');
  const frame = h('div', { class: 'inside' });
  frame.addEventListener('signout', signOut);
  frame.addEventListener('leaving', ({ detail }) => (here.parting = detail.is));
  frame.addEventListener('left', gone);
  frame.addEventListener('language', changeLanguage);
  frame.addEventListener('look', ({ detail }) => changeLook(detail));
  document.body.replaceChildren(frame);
  if (session.shared) look = new Shelf(passing.local, 'lounge.');
  const storages = session.shared ? passing : { local: localStorage, session: sessionStorage };
  const end = enter({ frame, session, doors, banner, look: look.get('look', {}), away, patient, storages, told });
  const rest = session.shared ? (await patient(() => import('./pages.js'))).watchOver(doors, lockUp) : () => {};
  leave = () => {
    rest();
    end();
  };
}

/** The server said: do not come back. */
function away(code) {
  if (here.parting) return;
  if (code === PROTOCOL) stop(words.t('trouble.protocol'));
  else open(words.t(code === REVOKED ? 'trouble.revoked' : 'trouble.signed_out'));
}

/** Something only the doctor can decide to try again. */
function stop(reason) {
  leave();
  leave = () => {};
  const again = button(words.t('app.reload'), () => location.reload(), { class: 'primary' });
  document.body.replaceChildren(h('main', { class: 'page' }, h('div', { class: 'door' }, h('h1', {}, words.t('app.name')), h('p', { role: 'alert' }, reason), again)));
}

/** She has left for good. */
function gone() {
  for (const storage of [localStorage, sessionStorage]) new Shelf(storage, 'lounge.of.').clear();
  stop(words.t('account.left'));
}

async function signOut() {
  // Left first: the line that closes with the session would open the door before her things are gone.
  leave();
  leave = () => {};
  await doors.delete('/api/session').catch(() => {});
  for (const storage of [localStorage, sessionStorage, passing.local, passing.session]) new Shelf(storage, 'lounge.of.').clear();
  location.assign('/');
}

async function changeLanguage({ detail }) {
  await doors.patch('/api/session', { language: detail.lang });
  // A page in another language is another page: everything is worded anew.
  location.reload();
}

function changeLook(news) {
  const now = { ...look.get('look', {}), ...news };
  look.set('look', now);
  root.dataset.theme = now.theme ?? 'auto';
  root.dataset.size = now.size ?? '100';
}

function banner() {
  return demo ? h('p', { class: 'demo' }, words.t('app.demo')) : '';
}

open();
