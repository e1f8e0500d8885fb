// @ts-check
import { words } from '../parts/words.js';
import { button, h, tell, write } from './dom.js';
import { bodiesOf, choice, filled, once, regionOf } from './fields.js';
import { field, languages } from './sign-in.js';

const GRADES = ['specialist', 'generalist', 'trainee'];

/**
 * Applying to join, in two steps: who one is, then the code that came by e-mail. Tells `language`
 * {lang}, `door` (back to signing in) and `entered` (the e-mail is confirmed, and one is signed in).
 */
export class ApplyPage extends HTMLElement {
  #typed = {};
  #step = 'form';

  open({ doors }) {
    this.doors = doors;
    this.said = h('p', { class: 'trouble', role: 'alert' });
    this.heading = h('h1', { tabindex: '-1' }, words.t(`apply.${this.#step}_title`));
    const form = this.#step === 'form' ? this.#application() : this.#code();
    form.addEventListener('input', () => Object.assign(this.#typed, Object.fromEntries(new FormData(form))));
    this.replaceChildren(
      languages(words.lang, (lang) => tell(this, 'language', { lang })),
      h('div', { class: 'door' }, this.heading, this.#lede(), form));
    this.#refill(form);
  }

  #lede() {
    const text = this.#step === 'form' ? words.t('apply.form_lede') : words.t('apply.code_lede', { email: this.#typed.email ?? '' });
    return h('p', { class: 'lede' }, text);
  }

  #application() {
    const countries = [['', words.t('apply.choose')], ...words.choices('countries')];
    const country = choice('country', words.t('apply.country'), countries, { required: true, autocomplete: 'country' });
    this.bodies = choice('body', words.t('apply.body'), [], {}, words.t('apply.body_hint'));
    country.querySelector('select').addEventListener('change', () => this.#offerBodies());
    const form = this.#form(words.t('apply.send'), (body) => this.#apply(body), [
      field('email', words.t('signin.email'), { type: 'email', autocomplete: 'username', inputmode: 'email', maxlength: '254' }, words.t('apply.email_hint')),
      field('name', words.t('apply.name'), { autocomplete: 'name', maxlength: '120' }, words.t('apply.name_hint')),
      country,
      choice('specialty', words.t('apply.specialty'), [['', words.t('apply.choose')], ...words.choices('specialties')], { required: true }),
      choice('grade', words.t('apply.grade'), GRADES.map((grade) => [grade, words.t(`apply.grade.${grade}`)])),
      this.bodies,
      field('licence', words.t('apply.licence'), { required: false, autocomplete: 'off', spellcheck: 'false', maxlength: '60' }, words.t('apply.licence_hint')),
      field('password', words.t('apply.password'), { type: 'password', autocomplete: 'new-password', minlength: '10' }, words.t('signin.ten')),
    ]);
    const have = button(words.t('apply.have_code'), () => this.#go('code'), { class: 'quiet' });
    form.append(have, button(words.t('signin.back'), () => tell(this, 'door'), { class: 'quiet' }));
    return form;
  }

  #code() {
    const form = this.#form(words.t('apply.confirm'), (body) => this.#confirm(body), [
      field('email', words.t('signin.email'), { type: 'email', autocomplete: 'username', inputmode: 'email' }),
      field('code', words.t('apply.code_label'), { autocomplete: 'one-time-code', spellcheck: 'false', maxlength: '60' }, words.t('apply.code_hint')),
    ]);
    form.append(button(words.t('apply.again'), () => this.#go('form'), { class: 'quiet' }));
    return form;
  }

  #form(label, act, fields) {
    const submit = h('button', { type: 'submit', class: 'primary' }, label);
    const form = h('form', { class: 'sign' }, ...fields, this.said, submit);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      once(submit, this.said, () => act(filled(form)));
    });
    return form;
  }

  async #apply(body) {
    const region = regionOf(body.body);
    await this.doors.post('/api/applications', { ...body, language: words.lang, ...(region && { region }) });
    this.#typed.email = body.email;
    this.#go('code');
  }

  async #confirm(body) {
    await this.doors.post('/api/applications/confirm', body);
    tell(this, 'entered');
  }

  #go(step) {
    this.#step = step;
    this.open({ doors: this.doors });
    this.heading.focus();
    window.scrollTo(0, 0);
  }

  /** Which bodies can be named depends on the country; where we know none, a number is not asked for. */
  #offerBodies() {
    const bodies = bodiesOf(this.querySelector('[name="country"]')?.value ?? '');
    const options = [['', words.t(bodies.length ? 'apply.body_none' : 'apply.body_unknown')], ...bodies];
    const select = this.bodies.querySelector('select');
    select.replaceChildren(...options.map(([value, title]) => h('option', { value }, title)));
    if (bodies.length === 1) select.value = bodies[0][0];
  }

  #refill(form) {
    if (this.#step === 'form') this.#offerBodies();
    for (const [name, value] of Object.entries(this.#typed)) {
      if (form.elements[name]) form.elements[name].value = value;
      if (name === 'country' && this.#step === 'form') this.#offerBodies();
    }
    write(this.said, '');
  }
}

customElements.define('apply-page', ApplyPage);
