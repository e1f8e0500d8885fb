// @ts-check
import { Api } from './parts/api.js';
import { Shelf } from './parts/shelf.js';
import { words } from './parts/words.js';
import { button, h } from './elements/dom.js';
import { later } from './elements/later.js';

const RETRY_MS = 3000;
const REVOKED = 4503;
const PROTOCOL = 4510;
const root = document.documentElement;
const demo = root.dataset.demo === 'demo';
const look = new Shelf(localStorage, 'lounge.');
const doors = new Api();
let leave = () => {};
let chosen = null;

/** From whatever was to where the doctor belongs: the door, the waiting page, or inside. */
async function open(reason) {
  leave();
  leave = () => {};
  const session = await patient(() => doors.get('/api/session').catch(nobody));
  await speak(session?.language ?? chosen ?? root.lang);
  if (!session) await door(reason);
  else if (reason && session.verified) stop(reason);
  else if (!session.verified) await wait(session);
  else await inside(session);
}

/** A 401 is an answer: nobody is signed in. */
function nobody(refusal) {
  if (refusal.code === 'signed_out') return null;
  throw refusal;
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

async function door(reason) {
  const cast = demo ? await doors.get('/api/demo').then(({ cast }) => cast).catch(() => null) : null;
  document.title = words.t('app.name');
  const page = await show('sign-in');
  page.addEventListener('language', async ({ detail }) => {
    chosen = detail.lang;
    await speak(chosen);
    door();
  });
  page.addEventListener('attempt', ({ detail }) => attempt(detail));
  page.open({ cast, reason });
}

async function attempt({ what, body, done, failed }) {
  const paths = { session: '/api/session', password: '/api/password', demo: '/api/demo' };
  try {
    await doors.post(paths[what], body);
    if (what === 'password') return done();
    if (chosen) await doors.patch('/api/session', { language: chosen });
    chosen = null;
    await open();
  } catch (refusal) {
    failed(refusal);
  }
}

async function wait({ missing = [] }) {
  document.title = words.t('app.name');
  const page = await show('waiting-page');
  page.addEventListener('again', () => open());
  page.addEventListener('signout', signOut);
  page.addEventListener('language', changeLanguage);
  page.open({ missing });
}

async function inside(session) {
  const { enter } = await patient(() => import('./inside.js'));
  const frame = h('div', { class: 'inside' });
  frame.addEventListener('signout', signOut);
  frame.addEventListener('language', changeLanguage);
  frame.addEventListener('look', ({ detail }) => changeLook(detail));
  document.body.replaceChildren(frame);
  leave = enter({ frame, session, doors, banner, look: look.get('look', {}), away });
}

/** The server said: do not come back. */
function away(code) {
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

async function signOut() {
  await doors.delete('/api/session').catch(() => {});
  for (const storage of [localStorage, sessionStorage]) new Shelf(storage, 'lounge.of.').clear();
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

async function show(name) {
  await patient(() => later(name));
  const page = document.createElement(name);
  document.body.replaceChildren(h('header', { class: 'top' }, banner()), h('main', { class: 'page' }, page));
  return page;
}

open();
