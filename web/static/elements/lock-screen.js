// @ts-check
import { words } from '../parts/words.js';
import { button, h, tell } from './dom.js';
import { proofForm } from './proof-form.js';
import { languages } from './sign-in.js';

/**
 * Stands before everything until its owner has shown who she is. Tells `unlocked`, `signout` when it is
 * somebody else, and `language` {lang}.
 */
export class LockScreen extends HTMLElement {
  /** `asks`: the ways that are open; `kept`: whether a draft waits behind it. */
  open({ doors, asks, kept }) {
    this.heading = h('h1', { tabindex: '-1' }, words.t('lock.title'));
    const form = proofForm({
      asks,
      label: words.t('lock.unlock'),
      passkeyLabel: words.t('lock.passkey'),
      byPasskey: () => doors.post('/api/session/proof'),
      show: async (proof) => {
        await doors.post('/api/session/unlock', proof);
        tell(this, 'unlocked');
      },
    });
    this.replaceChildren(
      languages(words.lang, (lang) => tell(this, 'language', { lang })),
      h('div', { class: 'door' }, this.heading, h('p', { class: 'lede' }, words.t(kept ? 'lock.lede' : 'lock.lede_plain')), form,
        button(words.t('lock.other'), () => tell(this, 'signout'), { class: 'quiet' })));
    this.heading.focus();
  }
}

customElements.define('lock-screen', LockScreen);
