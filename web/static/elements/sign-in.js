// @ts-check
import { words } from '../parts/words.js';
import { button, h, put, tell } from './dom.js';

const LANGUAGES = { en: 'English', fr: 'Français' };

/**
 * The door. Tells `language` {lang}, and asks by `attempt` {what, body, done, failed} for: session
 * (e-mail and password), password (set with a one-time code) and demo (walk in as one of the cast).
 */
export class SignIn extends HTMLElement {
  /** `cast`: the demonstration's doctors, or null; `reason`: why one is here again, in words. */
  open({ cast, reason, setting = false }) {
    this.cast = cast;
    this.trouble = h('p', { class: 'trouble', role: 'alert' }, reason ?? '');
    const form = setting ? this.#passwordForm() : this.#sessionForm();
    this.replaceChildren(
      languages(words.lang, (lang) => tell(this, 'language', { lang })),
      h('div', { class: 'door' },
        h('h1', {}, words.t('app.name')),
        h('p', { class: 'lede' }, words.t('signin.lede')),
        this.trouble, form, cast && !setting ? this.#castCards() : ''),
    );
  }

  #sessionForm() {
    return this.#form('session', words.t('signin.enter'), [
      field('email', words.t('signin.email'), { type: 'email', autocomplete: 'username', inputmode: 'email' }),
      field('password', words.t('signin.password'), { type: 'password', autocomplete: 'current-password' }),
    ], button(words.t('signin.have_code'), () => this.open({ cast: this.cast, setting: true }), { class: 'quiet' }));
  }

  #passwordForm() {
    return this.#form('password', words.t('signin.set'), [
      h('p', {}, words.t('signin.set_lede')),
      field('email', words.t('signin.email'), { type: 'email', autocomplete: 'username', inputmode: 'email' }),
      field('code', words.t('signin.code'), { type: 'text', autocomplete: 'one-time-code', spellcheck: 'false' }),
      field('password', words.t('signin.new_password'), { type: 'password', autocomplete: 'new-password', minlength: '10' }, words.t('signin.ten')),
    ], button(words.t('signin.back'), () => this.open({ cast: this.cast }), { class: 'quiet' }));
  }

  #form(what, label, fields, other) {
    const submit = h('button', { type: 'submit', class: 'primary' }, label);
    const form = h('form', { class: 'sign' }, ...fields, submit, other);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#attempt(what, Object.fromEntries(new FormData(form)), submit);
    });
    return form;
  }

  #castCards() {
    const cards = this.cast.map((one) => h('li', {}, this.#card(one)));
    return h('section', { class: 'cast' }, h('h2', {}, words.t('signin.cast')), h('p', {}, words.t('signin.cast_lede')), h('ul', {}, ...cards));
  }

  #card(one) {
    const roles = one.roles.filter((role) => role !== 'doctor').map((role) => words.coded('role', role));
    if (!one.verified) roles.push(words.t('role.unverified'));
    const language = LANGUAGES[one.language] ?? one.language;
    const card = h('button', { type: 'button', class: 'card' },
      h('b', {}, words.art(one)),
      h('span', {}, [words.country(one.country), language].join(' · ')),
      roles.length ? h('span', { class: 'roles' }, roles.join(' · ')) : '');
    card.addEventListener('click', () => this.#attempt('demo', { id: one.id }, card));
    return card;
  }

  #attempt(what, body, control) {
    put(control, 'aria-busy', 'true');
    this.trouble.textContent = '';
    const failed = (refusal) => {
      put(control, 'aria-busy', null);
      this.trouble.textContent = words.refusal(refusal);
    };
    const done = () => {
      this.open({ cast: this.cast });
      this.trouble.textContent = words.t('signin.set_done');
    };
    tell(this, 'attempt', { what, body, done, failed });
  }
}

/** The switch between the languages, each in its own words. */
export function languages(current, choose) {
  const buttons = Object.entries(LANGUAGES).map(([lang, name]) => {
    return button(name, () => choose(lang), { lang, 'aria-pressed': String(lang === current), class: 'quiet' });
  });
  return h('div', { class: 'languages', role: 'group', 'aria-label': words.t('account.language') }, ...buttons);
}

export function field(name, label, attributes, hint) {
  const id = `field-${name}`;
  const described = hint ? { 'aria-describedby': `${id}-hint` } : {};
  return h('p', { class: 'labelled' },
    h('label', { for: id }, label),
    h('input', { id, name, required: true, ...described, ...attributes }),
    hint ? h('span', { id: `${id}-hint`, class: 'hint' }, hint) : '');
}

customElements.define('sign-in', SignIn);
