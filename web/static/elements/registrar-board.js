// @ts-check
import { words } from '../parts/words.js';
import { button, h, tell, write } from './dom.js';
import { choice, filled, once } from './fields.js';
import { findingList } from './findings.js';
import { here } from './oncall-times.js';
import { field, languages } from './sign-in.js';
import { when } from './when.js';

const REASONS = ['documents_unreadable', 'documents_differ', 'not_a_doctor', 'not_found'];

/**
 * The registrar's board: who waits, then one application with its findings and documents, and the
 * decision. Of rooms and what is said in them it knows nothing. Tells `language`, `signout`, `leave`.
 */
export class RegistrarBoard extends HTMLElement {
  async open({ doors }) {
    this.doors = doors;
    this.heading = h('h1', { tabindex: '-1' }, words.t('registrar.title'));
    this.said = h('p', { class: 'said', role: 'status' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.sight = h('div', { class: 'sight' });
    this.replaceChildren(
      languages(words.lang, (lang) => tell(this, 'language', { lang })),
      h('div', { class: 'door' },
        this.heading, h('p', { class: 'lede' }, words.t('registrar.lede')), this.said, this.trouble, this.sight, roleForm(doors),
        h('div', { class: 'choices' },
          button(words.t('registrar.leave'), () => tell(this, 'leave'), { class: 'quiet' }),
          button(words.t('account.sign_out'), () => tell(this, 'signout'), { class: 'quiet' }))));
    await this.#list();
  }

  async #list() {
    await this.#show(async () => {
      const { applications } = await this.doors.get('/api/registrar/applications');
      write(this.said, words.count('registrar.waiting', applications.length));
      return h('ul', { class: 'applications' }, ...applications.map((one) => this.#row(one)));
    });
  }

  #row(one) {
    return h('li', {}, h('button', { type: 'button', class: 'card', on: { click: () => this.#look(one.id) } },
      h('b', {}, one.name),
      h('span', {}, [words.art(one), words.country(one.country)].join(' · ')),
      h('span', {}, words.t('registrar.since'), ' ', when(one.since))));
  }

  async #look(id) {
    const path = `/api/registrar/applications/${encodeURIComponent(id)}`;
    await this.#show(async () => {
      const one = await this.doors.get(path);
      write(this.said, '');
      return h('article', { class: 'application' },
        button(words.t('registrar.back'), () => this.#back(), { class: 'quiet', mark: 'back' }),
        h('h2', { tabindex: '-1' }, one.name),
        facts(one),
        h('h3', {}, words.t('waiting.findings')), findingList(one.findings),
        h('h3', {}, words.t('registrar.documents')), documents(path, one.documents),
        this.#decision(path, one.version));
    });
    this.sight.querySelector('h2')?.focus();
  }

  #decision(path, version) {
    const reason = choice('reason', words.t('registrar.reason'), REASONS.map((code) => [code, words.t(`standing.${code}`)]), {}, words.t('registrar.reason_hint'));
    const decide = async (control, verdict) => {
      const told = await once(control, this.trouble, () => this.doors.post(path, { verdict, version, ...(verdict === 'refused' ? filled(form) : { reason: 'registrar' }) }));
      if (told) await this.#back(words.t(`registrar.${verdict}_done`));
    };
    const verify = button(words.t('registrar.verify'), () => decide(verify, 'verified'), { class: 'primary' });
    const refuse = button(words.t('registrar.refuse'), () => decide(refuse, 'refused'), { class: 'danger' });
    const form = h('form', { class: 'sign' }, h('h3', {}, words.t('registrar.decide')), verify, reason, refuse);
    form.addEventListener('submit', (event) => event.preventDefault());
    return form;
  }

  async #back(done = '') {
    await this.#list();
    if (done) write(this.said, done);
    this.heading.focus();
  }

  async #show(make) {
    try {
      write(this.trouble, '');
      this.sight.replaceChildren(await make());
    } catch (refusal) {
      write(this.trouble, words.refusal(refusal));
    }
  }
}

/** A role on call, named after its service, and who keeps it from the first moment. */
function roleForm(doors) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const said = h('p', { class: 'said', role: 'status' });
  const make = h('button', { type: 'submit', class: 'primary' }, words.t('registrar.role.make'));
  const text = (name, attributes) => field(name, words.t(`registrar.role.${name}`), { autocomplete: 'off', maxlength: '100', ...attributes });
  const zones = h('datalist', { id: 'zones' }, ...(Intl.supportedValuesOf?.('timeZone') ?? []).map((value) => h('option', { value })));
  const form = h('form', { class: 'sign' }, h('p', { class: 'hint' }, words.t('registrar.role.lede')),
    text('service'), text('name'), choice('specialty', words.t('registrar.specialty'), [['', ''], ...words.choices('specialties')], { required: true }),
    text('zone', { value: here(), list: 'zones', spellcheck: 'false' }), zones, text('number', { type: 'tel' }), text('keeper', { type: 'email', maxlength: '254' }), make, trouble);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    said.textContent = '';
    const made = await once(make, trouble, () => doors.post('/api/roles', filled(form)));
    if (!made) return;
    form.reset();
    write(said, words.t('registrar.role.done'));
  });
  return h('details', { class: 'role-form' }, h('summary', {}, words.t('registrar.role')), form, said);
}

function facts(one) {
  const rows = [
    ['email', one.email], ['country', words.country(one.country)],
    ['specialty', one.specialty && words.specialty(one.specialty)], ['grade', one.grade && words.coded('apply.grade', one.grade)],
    ['body', one.body && words.body(one.body)], ['licence', one.licence],
  ];
  const shown = rows.filter(([, value]) => value).map(([name, value]) => h('div', {}, h('dt', {}, words.t(`registrar.${name}`)), h('dd', {}, value)));
  return h('dl', { class: 'facts-list' }, ...shown);
}

function documents(path, all) {
  if (!all.length) return h('p', { class: 'none' }, words.t('registrar.no_documents'));
  const link = (name) => h('a', { href: `${path}/documents/${encodeURIComponent(name)}`, download: name }, name);
  return h('ul', { class: 'own-things' }, ...all.map((one) => h('li', {}, link(one.name))));
}

customElements.define('registrar-board', RegistrarBoard);
