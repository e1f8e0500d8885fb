// @ts-check
import { words } from '../parts/words.js';
import { button, h, markButton, tell } from './dom.js';
import { ownCodes } from './own-codes.js';
import { ownHouses } from './own-houses.js';
import { ownLeaving } from './own-leaving.js';
import { ownPasskeys } from './own-passkeys.js';
import { ownSessions, ownTokens } from './own-visits.js';
import { languages } from './sign-in.js';
import { reachSettings } from './reach-settings.js';
import { standing } from './standing.js';
import { toldSettings } from './told-settings.js';

const THEMES = ['auto', 'light', 'dark'];
const SIZES = ['100', '112', '125', '150', '200'];

/** The doctor's own settings. `doors` is the Api; `look` {theme, size} is kept on this device; `told`: what went wrong elsewhere. */
export class AccountSheet extends HTMLElement {
  open({ doors, look, told = '' }) {
    this.heading = h('h2', { tabindex: '-1' }, words.t('account.title'));
    this.replaceChildren(
      h('header', { class: 'sheet-head' }, this.heading, markButton('close', words.t('dialog.close'), () => tell(this, 'back'))),
      told ? h('p', { class: 'trouble', role: 'alert' }, told) : '',
      section('account.language', languages(words.lang, (lang) => tell(this, 'language', { lang }))),
      section('account.look', this.#choice('theme', THEMES, look.theme ?? 'auto'), this.#choice('size', SIZES, look.size ?? '100')),
      reachSettings(doors),
      toldSettings(doors),
      ownPasskeys(doors),
      ownCodes(doors),
      ownHouses(doors),
      ownSessions(doors),
      ownTokens(doors),
      ...standing(doors),
      ownLeaving(doors),
      h('p', { class: 'leave' }, button(words.t('account.help'), () => tell(this, 'help'), { class: 'quiet' }), button(words.t('account.sign_out'), () => tell(this, 'signout'), { class: 'danger' })),
    );
    if (location.hash === '#reach') this.#atReach();
  }

  /** Where the address names how she is reached, the sheet begins there. */
  #atReach() {
    this.heading = this.querySelector('#reach h3');
    this.heading.tabIndex = -1;
    this.heading.scrollIntoView();
  }

  #choice(name, values, chosen) {
    const options = values.map((value) => h('option', { value, selected: value === chosen }, words.t(`account.${name}.${value}`)));
    const select = h('select', { id: `choose-${name}` }, ...options);
    select.addEventListener('change', () => tell(this, 'look', { [name]: select.value }));
    return h('p', { class: 'labelled' }, h('label', { for: `choose-${name}` }, words.t(`account.${name}`)), select);
  }
}

function section(key, ...children) {
  return h('section', {}, h('h3', {}, words.t(key)), ...children);
}

customElements.define('account-sheet', AccountSheet);
