// @ts-check
import { words } from '../parts/words.js';
import { button, h, markButton, tell } from './dom.js';
import { field, languages } from './sign-in.js';
import { when } from './when.js';

const THEMES = ['auto', 'light', 'dark'];
const SIZES = ['100', '112', '125', '150', '200'];

/** The doctor's own settings. `doors` is the Api; `look` {theme, size} is kept on this device. */
export class AccountSheet extends HTMLElement {
  async open({ doors, look, verified = true }) {
    this.doors = doors;
    this.sessions = h('ul', { class: 'own-things' });
    this.tokens = h('ul', { class: 'own-things' });
    this.said = h('p', { role: 'status', class: 'said' });
    this.made = h('div', { class: 'made' });
    this.heading = h('h2', { tabindex: '-1' }, words.t('account.title'));
    this.replaceChildren(
      h('header', { class: 'sheet-head' }, this.heading, markButton('close', words.t('dialog.close'), () => tell(this, 'back'))),
      section('account.language', languages(words.lang, (lang) => tell(this, 'language', { lang }))),
      section('account.look', this.#choice('theme', THEMES, look.theme ?? 'auto'), this.#choice('size', SIZES, look.size ?? '100')),
      section('account.sessions', h('p', {}, words.t('account.sessions_lede')), this.sessions),
      verified ? section('account.tokens', h('p', {}, words.t('account.tokens_lede')), this.tokens, this.#tokenForm(), this.made) : '',
      this.said,
      h('p', { class: 'leave' }, button(words.t('account.help'), () => tell(this, 'help'), { class: 'quiet' }), button(words.t('account.sign_out'), () => tell(this, 'signout'), { class: 'danger' })),
    );
    await Promise.all([this.#list('sessions'), verified && this.#list('tokens')]);
  }

  #choice(name, values, chosen) {
    const options = values.map((value) => h('option', { value, selected: value === chosen }, words.t(`account.${name}.${value}`)));
    const select = h('select', { id: `choose-${name}` }, ...options);
    select.addEventListener('change', () => tell(this, 'look', { [name]: select.value }));
    return h('p', { class: 'labelled' }, h('label', { for: `choose-${name}` }, words.t(`account.${name}`)), select);
  }

  async #list(what) {
    try {
      const told = await this.doors.get(`/api/${what}`);
      const rows = told[what].map((one) => this.#row(what, one));
      this[what].replaceChildren(...(rows.length ? rows : [h('li', { class: 'none' }, words.t(`account.no_${what}`))]));
    } catch (refusal) {
      this.said.textContent = words.refusal(refusal);
    }
  }

  #row(what, one) {
    const end = async () => {
      await this.#try(() => this.doors.delete(`/api/${what}/${encodeURIComponent(one.id)}`));
      await this.#list(what);
    };
    const used = one.seen ?? one.used;
    const times = [words.t('account.since'), ' ', when(one.created)];
    if (used) times.push(' · ', words.t('account.used'), ' ', when(used));
    const here = one.current ? h('b', {}, ` ${words.t('account.this_one')}`) : '';
    const label = `${words.t(`account.end_${what}`)} ${one.label ?? ''}`;
    return h('li', {},
      h('div', {}, h('span', {}, one.label || words.t('account.unnamed'), here), h('p', { class: 'foot' }, ...times)),
      one.current ? '' : button(words.t('account.end'), end, { class: 'quiet', 'aria-label': label }));
  }

  #tokenForm() {
    const form = h('form', { class: 'inline' }, field('label', words.t('account.token_label'), { maxlength: '60', autocomplete: 'off' }), h('button', { type: 'submit' }, words.t('account.make')));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const { label } = Object.fromEntries(new FormData(form));
      const made = await this.#try(() => this.doors.post('/api/tokens', { label }));
      if (made) this.#reveal(made.token);
      form.reset();
      await this.#list('tokens');
    });
    return form;
  }

  #reveal(token) {
    const copy = async () => {
      await navigator.clipboard.writeText(token);
      this.said.textContent = words.t('account.copied');
    };
    this.made.replaceChildren(h('p', { role: 'alert' }, words.t('account.token_once')), h('code', { tabindex: '0' }, token), button(words.t('account.copy'), copy, { class: 'quiet' }));
  }

  async #try(act) {
    try {
      this.said.textContent = '';
      return await act();
    } catch (refusal) {
      this.said.textContent = words.refusal(refusal);
      return null;
    }
  }
}

function section(key, ...children) {
  return h('section', {}, h('h3', {}, words.t(key)), ...children);
}

customElements.define('account-sheet', AccountSheet);
