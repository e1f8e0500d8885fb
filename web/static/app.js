// @ts-check
import { Api } from './parts/api.js';
import { Memory } from './parts/memory.js';
import { Shelf } from './parts/shelf.js';
import { words } from './parts/words.js';
import { button, h } from './elements/dom.js';
import { later } from './elements/later.js';

const RETRY_MS = 3000;
const REVOKED = 4503;
const PROTOCOL = 4510;
const SHARED_IDLE_MS = 10 * 60_000;
const TOLD_MS = 30_000;
const root = document.documentElement;
const demo = root.dataset.demo === 'demo';
let look = new Shelf(localStorage, 'lounge.');
const doors = new Api();
let leave = () => {};
let chosen = null;
/** She is leaving for good, and says so herself. */
let parting = false;
/** What is kept on a computer that others use: only as long as this page. */
const passing = { local: new Memory(), session: new Memory() };

/** From whatever was to where the doctor belongs: the door, the waiting page, or inside. */
async function open(reason) {
  leave();
  leave = () => {};
  const session = await patient(() => doors.get('/api/session').catch(nobody));
  await speak(session?.language ?? chosen ?? root.lang);
  if (session?.locked) await lock(session.locked);
  else if (!session) await (location.pathname === '/apply' ? apply() : door(reason));
  else if (reason && session.verified) stop(reason);
  else if (!session.verified) await wait(session);
  else if (location.pathname === '/registrar' && session.roles.includes('registrar')) await registrar();
  else if (session.missing?.includes('acceptance')) await accept();
  else await inside(session);
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

async function door(reason) {
  for (const storage of Object.values(passing)) storage.clear();
  const cast = demo ? await doors.get('/api/demo').then(({ cast }) => cast).catch(() => null) : null;
  document.title = words.t('app.name');
  const page = await show('sign-in');
  page.addEventListener('language', async ({ detail }) => {
    chosen = detail.lang;
    await speak(chosen);
    door();
  });
  page.addEventListener('attempt', ({ detail }) => attempt(detail));
  const { usable } = await patient(() => import('./parts/passkeys.js'));
  page.open({ cast, reason, passkeys: usable() });
}

async function enterByPasskey(body) {
  const { use } = await import('./parts/passkeys.js');
  const credential = await use(await doors.post('/api/session/passkey/options'));
  await doors.post('/api/session/passkey', { ...body, credential });
}

async function attempt({ what, body, done, failed }) {
  const paths = { session: '/api/session', second: '/api/session/second', recovery: '/api/recovery', password: '/api/password', demo: '/api/demo' };
  try {
    if (what === 'passkey') await enterByPasskey(body);
    else await doors.post(paths[what], body);
    if (what === 'password' || what === 'recovery') return done();
    if (chosen) await doors.patch('/api/session', { language: chosen });
    chosen = null;
    await open();
  } catch (refusal) {
    failed(refusal);
  }
}

async function apply() {
  const page = await entitled('apply-page', 'apply.form_title');
  page.addEventListener('language', async ({ detail }) => {
    chosen = detail.lang;
    await speak(chosen);
    page.open({ doors });
  });
  page.addEventListener('door', home);
  page.addEventListener('entered', home);
  page.open({ doors });
}

async function wait({ missing = [] }) {
  const page = await entitled('waiting-page', 'waiting.title');
  page.addEventListener('again', () => open());
  page.addEventListener('signout', signOut);
  page.addEventListener('language', changeLanguage);
  page.open({ doors, missing });
}

/** What is to be accepted before the first room. */
async function accept() {
  const house = await patient(() => doors.get('/api/house'));
  const page = await entitled('joining-screens', 'about.title');
  page.addEventListener('accepted', () => open());
  page.addEventListener('signout', signOut);
  page.addEventListener('language', changeLanguage);
  page.open({ doors, house });
}

/** The registrar's page stands apart from the rooms: who reviews is not who talks or moderates. */
async function registrar() {
  const page = await entitled('registrar-board', 'registrar.title');
  page.addEventListener('leave', home);
  page.addEventListener('signout', signOut);
  page.addEventListener('language', changeLanguage);
  page.open({ doors });
}

function home() {
  history.replaceState(null, '', '/');
  return open();
}

function entitled(name, key) {
  document.title = [words.t(key), words.t('app.name')].join(' · ');
  return show(name);
}

/** Nothing of hers is on the page until she has shown who she is. */
async function lock(asks) {
  const page = await entitled('lock-screen', 'lock.title');
  page.addEventListener('unlocked', () => open());
  page.addEventListener('signout', signOut);
  page.addEventListener('language', async ({ detail }) => {
    await speak(detail.lang);
    lock(asks);
  });
  page.open({ doors, asks, kept: Object.keys(passing.local).some((key) => key.startsWith('lounge.of.draft.')) });
}

/** On a computer that others use: locks after ten minutes in which nobody touched it. */
async function watchOver() {
  const { Idle } = await patient(() => import('./parts/idle.js'));
  const ends = new AbortController();
  const tell = () => doors.post('/api/session/active').catch(() => {});
  const idle = new Idle({ limitMs: SHARED_IDLE_MS, toldMs: TOLD_MS, tell, lock: lockUp });
  const touched = { signal: ends.signal, capture: true, passive: true };
  for (const sign of ['keydown', 'pointerdown', 'pointermove', 'wheel']) window.addEventListener(sign, () => idle.acted(), touched);
  document.addEventListener('visibilitychange', () => idle.check(), { signal: ends.signal });
  return () => {
    idle.stop();
    ends.abort();
  };
}

async function lockUp() {
  leave();
  leave = () => {};
  document.body.replaceChildren(h('main', { class: 'page' }, h('h1', {}, words.t('lock.title'))));
  await patient(() => doors.post('/api/session/lock').catch(nobody));
  await open();
}

async function inside(session) {
  const { enter } = await patient(() => import('./inside.js'));
  const frame = h('div', { class: 'inside' });
  frame.addEventListener('signout', signOut);
  frame.addEventListener('leaving', ({ detail }) => (parting = detail.is));
  frame.addEventListener('left', () => {
    for (const storage of [localStorage, sessionStorage]) new Shelf(storage, 'lounge.of.').clear();
    stop(words.t('account.left'));
  });
  frame.addEventListener('language', changeLanguage);
  frame.addEventListener('look', ({ detail }) => changeLook(detail));
  document.body.replaceChildren(frame);
  if (session.shared) look = new Shelf(passing.local, 'lounge.');
  const storages = session.shared ? passing : { local: localStorage, session: sessionStorage };
  const end = enter({ frame, session, doors, banner, look: look.get('look', {}), away, storages });
  const rest = session.shared ? await watchOver() : () => {};
  leave = () => {
    rest();
    end();
  };
}

/** The server said: do not come back. */
function away(code) {
  if (parting) return;
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

async function show(name) {
  await patient(() => later(name));
  const page = document.createElement(name);
  document.body.replaceChildren(h('header', { class: 'top' }, banner()), h('main', { class: 'page' }, page));
  return page;
}

open();
