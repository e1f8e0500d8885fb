// @ts-check
import { words } from '../parts/words.js';
import { button, h, tell } from './dom.js';
import { languages } from './sign-in.js';

/** What a doctor sees who may not enter yet: what is missing, and what to do about it. */
export class WaitingPage extends HTMLElement {
  open({ missing }) {
    const items = missing.map((code) => h('li', {}, words.coded('missing', code)));
    this.replaceChildren(
      languages(words.lang, (lang) => tell(this, 'language', { lang })),
      h('div', { class: 'door' },
        h('h1', {}, words.t('waiting.title')),
        h('p', { class: 'lede' }, words.t('waiting.lede')),
        h('h2', {}, words.t('waiting.missing')),
        h('ul', { class: 'missing' }, ...items),
        h('p', {}, words.t('waiting.then')),
        h('div', { class: 'choices' },
          button(words.t('waiting.again'), () => tell(this, 'again'), { class: 'primary' }),
          button(words.t('account.sign_out'), () => tell(this, 'signout'), { class: 'quiet' }))));
  }
}

customElements.define('waiting-page', WaitingPage);
