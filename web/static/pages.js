// @ts-check
import { Idle } from './parts/idle.js';
import { words } from './parts/words.js';
import { h } from './elements/dom.js';
import { later } from './elements/later.js';

const SHARED_IDLE_MS = 10 * 60_000;
const TOLD_MS = 30_000;
const PATHS = { session: '/api/session', second: '/api/session/second', recovery: '/api/recovery', password: '/api/password', demo: '/api/demo' };

/** The pages that stand before the rooms, each a whole page; fetched when one is wanted. */
export class Pages {
  #here;

  /** `here`: what `app.js` shares with them. */
  constructor(here) {
    this.#here = here;
  }

  async door({ reason } = {}) {
    const { doors, demo, passing, patient, speak } = this.#here;
    for (const storage of Object.values(passing)) storage.clear();
    const [cast, providers] = await Promise.all([
      demo ? doors.get('/api/demo').then((told) => told.cast).catch(() => null) : null,
      doors.get('/api/oidc').then((told) => told.providers).catch(() => []),
    ]);
    document.title = words.t('app.name');
    const page = await this.#show('sign-in');
    page.addEventListener('language', async ({ detail }) => {
      await speak((this.#here.chosen = detail.lang));
      this.door();
    });
    page.addEventListener('attempt', ({ detail }) => this.#attempt(detail));
    const { usable } = await patient(() => import('./parts/passkeys.js'));
    page.open({ cast, providers, reason, passkeys: usable() });
  }

  async apply() {
    const { doors, speak } = this.#here;
    const page = await this.#entitled('apply-page', 'apply.form_title');
    page.addEventListener('language', async ({ detail }) => {
      await speak((this.#here.chosen = detail.lang));
      page.open({ doors });
    });
    page.addEventListener('door', () => this.#home());
    page.addEventListener('entered', () => this.#home());
    page.open({ doors });
  }

  async wait({ session, reason }) {
    const { doors, gone, open } = this.#here;
    const page = await this.#own('waiting-page', 'waiting.title');
    page.addEventListener('again', () => this.#here.parting || open());
    page.addEventListener('leaving', ({ detail }) => (this.#here.parting = detail.is));
    page.addEventListener('left', gone);
    page.open({ doors, missing: session.missing, told: reason });
  }

  /** What is to be accepted before the first room. */
  async accept() {
    const { doors, open, patient } = this.#here;
    const house = await patient(() => doors.get('/api/house'));
    const page = await this.#own('joining-screens', 'about.title');
    page.addEventListener('accepted', () => open());
    page.open({ doors, house });
  }

  /** The registrar's page stands apart from the rooms: who reviews is not who talks or moderates. */
  async registrar() {
    const page = await this.#own('registrar-board', 'registrar.title');
    page.addEventListener('leave', () => this.#home());
    page.open({ doors: this.#here.doors });
  }

  /** Nothing of hers is on the page until she has shown who she is. */
  async lock({ session }) {
    const { doors, open, passing, signOut, speak } = this.#here;
    const page = await this.#entitled('lock-screen', 'lock.title');
    page.addEventListener('unlocked', () => open());
    page.addEventListener('signout', signOut);
    page.addEventListener('language', async ({ detail }) => {
      await speak(detail.lang);
      this.lock({ session });
    });
    page.open({ doors, asks: session.locked, kept: Object.keys(passing.local).some((key) => key.startsWith('lounge.of.draft.')) });
  }

  async #attempt({ what, body, done, failed }) {
    const { doors, open } = this.#here;
    try {
      if (what === 'passkey') await this.#byPasskey(body);
      else await doors.post(PATHS[what], body);
      if (what === 'password' || what === 'recovery') return done();
      const { chosen } = this.#here;
      if (chosen) await doors.patch('/api/session', { language: chosen });
      this.#here.chosen = null;
      await open();
    } catch (refusal) {
      failed(refusal);
    }
  }

  async #byPasskey(body) {
    const { doors } = this.#here;
    const { use } = await import('./parts/passkeys.js');
    const credential = await use(await doors.post('/api/session/passkey/options'));
    await doors.post('/api/session/passkey', { ...body, credential });
  }

  #home() {
    history.replaceState(null, '', '/');
    return this.#here.open();
  }

  /** A page of somebody who is signed in. */
  async #own(name, key) {
    const page = await this.#entitled(name, key);
    page.addEventListener('signout', this.#here.signOut);
    page.addEventListener('language', this.#here.changeLanguage);
    return page;
  }

  #entitled(name, key) {
    document.title = [words.t(key), words.t('app.name')].join(' · ');
    return this.#show(name);
  }

  async #show(name) {
    await this.#here.patient(() => later(name));
    const page = document.createElement(name);
    document.body.replaceChildren(h('header', { class: 'top' }, this.#here.banner()), h('main', { class: 'page' }, page));
    return page;
  }
}

/** On a computer that others use: locks after ten minutes in which nobody touched it. @returns {() => void} ends it */
export function watchOver(doors, lock) {
  const ends = new AbortController();
  const tell = () => doors.post('/api/session/active').catch(() => {});
  const idle = new Idle({ limitMs: SHARED_IDLE_MS, toldMs: TOLD_MS, tell, lock });
  const touched = { signal: ends.signal, capture: true, passive: true };
  for (const sign of ['keydown', 'pointerdown', 'pointermove', 'wheel']) window.addEventListener(sign, () => idle.acted(), touched);
  document.addEventListener('visibilitychange', () => idle.check(), { signal: ends.signal });
  return () => {
    idle.stop();
    ends.abort();
  };
}
