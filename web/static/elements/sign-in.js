// @ts-check
import { words } from '../parts/words.js';
import { button, h, put, tell } from './dom.js';

const LANGUAGES = { en: 'English', fr: 'Français' };

/**
 * The door. Tells `language` {lang}, and asks by `attempt` {what, body, done, failed} for: session
 * (e-mail and password), second (its second step), passkey, recovery (a letter with a code), password
 * (set with a one-time code) and demo (walk in as one of the cast).
 */
export class SignIn extends HTMLElement {
  /** `cast`: the demonstration's doctors, or null; `providers`: other houses; `reason`: why one is here again, in words. */
  open({ cast, reason, passkeys = this.passkeys, providers = this.providers ?? [], show = 'session' }) {
    Object.assign(this, { cast, passkeys, providers });
    this.trouble = h('p', { class: 'trouble', role: 'alert' }, reason ?? '');
    this.shown = h('p', { class: 'said', role: 'status' });
    const forms = { session: () => this.#sessionForm(), password: () => this.#passwordForm(), recovery: () => this.#recoveryForm() };
    const form = forms[show]();
    const first = show === 'session';
    this.replaceChildren(
      languages(words.lang, (lang) => tell(this, 'language', { lang })),
      h('div', { class: 'door' },
        h('h1', {}, words.t('app.name')),
        h('p', { class: 'lede' }, words.t('signin.lede')),
        this.trouble, this.shown, form, first ? h('p', {}, h('a', { class: 'button', href: '/apply' }, words.t('apply.link'))) : '', cast && first ? this.#castCards() : ''),
    );
  }

  /** The password was right: the second step, `asks` naming the ways. */
  async second(asks) {
    const { proofForm } = await import('./proof-form.js');
    const heading = h('h2', { tabindex: '-1' }, words.t('second.title'));
    const show = (proof) => new Promise((resolve, reject) => tell(this, 'attempt', { what: 'second', body: proof, done: resolve, failed: reject }));
    const back = button(words.t('signin.back'), () => this.open({ cast: this.cast }), { class: 'quiet' });
    this.querySelector('.door').replaceChildren(h('h1', {}, words.t('app.name')), heading, proofForm({ asks, label: words.t('second.go_on'), show }), back);
    heading.focus();
  }

  #sessionForm() {
    const other = (show) => () => this.open({ cast: this.cast, show });
    const ways = this.providers.map(({ name, title }) => button(words.t('signin.house', { house: words.title(title) }), ({ currentTarget }) => this.#byHouse(name, currentTarget)));
    if (this.passkeys) ways.unshift(button(words.t('signin.passkey'), ({ currentTarget }) => this.#byPasskey(currentTarget)));
    if (ways.length) ways.push(h('p', { class: 'or' }, words.t('signin.or')));
    return this.#form('session', words.t('signin.enter'), [
      whose(), ...ways,
      field('email', words.t('signin.email'), { type: 'email', autocomplete: 'username', inputmode: 'email' }),
      field('password', words.t('signin.password'), { type: 'password', autocomplete: 'current-password' }),
    ], h('p', { class: 'choices' },
      button(words.t('signin.forgot'), other('recovery'), { class: 'quiet' }),
      button(words.t('signin.have_code'), other('password'), { class: 'quiet' })));
  }

  #byPasskey(control) {
    const shared = this.#sharedAs(control);
    if (shared) this.#attempt('passkey', { shared: shared === 'yes' }, control);
  }

  /** Away to the other house, which sends her back here. */
  #byHouse(name, control) {
    const shared = this.#sharedAs(control);
    if (shared) location.assign(`/api/oidc/${encodeURIComponent(name)}/start?shared=${shared}`);
  }

  /** "yes" or "no"; where it was not said yet, it is asked for. */
  #sharedAs(control) {
    const answer = control.closest('form').elements.shared;
    if (!answer.value) answer[0].reportValidity();
    return answer.value;
  }

  #recoveryForm() {
    return this.#form('recovery', words.t('signin.forgot_send'), [
      h('h2', {}, words.t('signin.forgot_title')),
      h('p', {}, words.t('signin.forgot_lede')),
      field('email', words.t('signin.email'), { type: 'email', autocomplete: 'username', inputmode: 'email' }),
    ], button(words.t('signin.back'), () => this.open({ cast: this.cast }), { class: 'quiet' }));
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
      const { shared, ...body } = Object.fromEntries(new FormData(form));
      this.#attempt(what, shared ? { ...body, shared: shared === 'yes' } : body, submit);
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
      if (what === 'session' && refusal.asks) return this.second(refusal.asks);
      this.trouble.textContent = refusal.code === 'unused' ? words.t('signin.passkey_none') : words.refusal(refusal);
    };
    const done = () => {
      this.open({ cast: this.cast, show: what === 'recovery' ? 'password' : 'session' });
      if (what === 'recovery') this.querySelector('[name=email]').value = body.email;
      this.shown.textContent = words.t(what === 'recovery' ? 'signin.forgot_done' : 'signin.set_done');
    };
    tell(this, 'attempt', { what, body, done, failed });
  }
}

/** Whose computer it is: what may stay on it hangs on that, so nothing is chosen beforehand. */
function whose() {
  const choice = (value, key) => h('label', { class: 'whose' },
    h('input', { type: 'radio', name: 'shared', value, required: true }),
    h('span', {}, h('b', {}, words.t(`signin.${key}`)), h('span', { class: 'hint' }, words.t(`signin.${key}_lede`))));
  return h('fieldset', {}, h('legend', {}, words.t('signin.whose')), choice('no', 'own'), choice('yes', 'shared'));
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
