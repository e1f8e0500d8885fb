// @ts-check
import { words } from '../parts/words.js';
import { upload } from '../parts/upload.js';
import { button, h, icon, markButton, tell, write } from './dom.js';
import { bodiesOf, choice, filled, once, regionOf } from './fields.js';
import { findingList } from './findings.js';
import { houseButtons } from './own-houses.js';
import { ownLeaving } from './own-leaving.js';
import { field, languages } from './sign-in.js';

const LOOK_MS = 20_000;
const MOST_BYTES = 5 * 1024 * 1024;
const KINDS = ['application/pdf', 'image/png', 'image/jpeg'];

/**
 * What a doctor sees who may not enter yet: how her application stands, what each source found, and
 * every next step, each with what it takes. Tells `again`, `language`, `signout`, and what leaving tells.
 */
export class WaitingPage extends HTMLElement {
  #timer = 0;

  /** `told`: why another house's sign-in led nowhere, in words. */
  async open({ doors, missing = [], told = '' }) {
    this.doors = doors;
    this.heading = h('h1', { tabindex: '-1' }, words.t('waiting.title'));
    this.standing = h('div', { class: 'standing' }, h('p', { class: 'lede' }, words.t('waiting.lede')));
    this.todo = h('div', { class: 'todo' });
    this.said = h('p', { class: 'said', role: 'status' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    const look = button(words.t('waiting.again'), () => once(look, this.trouble, () => this.#examine()), { class: 'primary' });
    this.replaceChildren(
      languages(words.lang, (lang) => tell(this, 'language', { lang })),
      h('div', { class: 'door' },
        this.heading, told ? h('p', { class: 'trouble', role: 'alert' }, told) : '', this.standing,
        h('h2', {}, words.t('waiting.missing')),
        h('ul', { class: 'missing' }, ...missing.map((code) => h('li', {}, words.coded('missing', code)))),
        h('div', { class: 'choices' }, look,
          button(words.t('account.sign_out'), () => tell(this, 'signout'), { class: 'quiet' })),
        this.said, this.trouble, this.todo, ownLeaving(doors)));
    await this.#load(true);
    this.#timer = setInterval(() => !document.hidden && this.#load(false), LOOK_MS);
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  /** Reads how it stands; `all` draws the next steps anew too, which would empty half-filled fields. */
  async #load(all) {
    try {
      const now = await this.doors.get('/api/application');
      if (now.state === 'verified') return tell(this, 'again');
      this.#stand(now);
      if (all) await this.#offer(now);
    } catch (refusal) {
      if (refusal.code === 'signed_out') tell(this, 'again');
      else write(this.trouble, words.refusal(refusal));
    }
    return undefined;
  }

  #stand({ state, reason, steps = [], findings = [], valid_until: until }) {
    write(this.heading, words.t(`waiting.state.${state}`));
    const known = reason && words.has(`standing.${reason}`);
    const next = reason && words.has(`standing.next.${reason}`) ? h('p', {}, words.t(`standing.next.${reason}`)) : '';
    const date = until ? h('p', { class: 'foot' }, words.t('waiting.until', { day: words.date(until) })) : '';
    this.standing.replaceChildren(
      h('p', { class: 'lede' }, known ? words.t(`standing.${reason}`) : words.t(`waiting.lede.${state}`)), next, date,
      h('h2', {}, words.t('waiting.steps')), h('ol', { class: 'steps' }, ...steps.map(step)),
      h('h2', {}, words.t('waiting.findings')), findingList(findings));
  }

  async #offer(now) {
    const closed = now.state === 'suspended';
    const { providers = [] } = await this.doors.get('/api/oidc').catch(() => ({}));
    const offers = [this.#licence(now), this.#documents(now), this.#vouchers(), providers.length && this.#houses(providers)];
    this.todo.replaceChildren(...(closed ? [] : [h('h2', {}, words.t('waiting.next')), ...offers.filter(Boolean)]));
  }

  #licence({ body, country, licence_hint: hint }) {
    const bodies = [['', words.t('apply.choose')], ...(country ? bodiesOf(country) : words.choices('bodies'))];
    const number = field('licence', words.t('apply.licence'), { autocomplete: 'off', spellcheck: 'false', maxlength: '60' }, hint ? words.t('waiting.licence_known', { hint }) : words.t('apply.licence_hint'));
    const send = h('button', { type: 'submit', class: 'primary' }, words.t('waiting.check'));
    const name = field('name', words.t('waiting.name'), { required: false, autocomplete: 'name', maxlength: '120' }, words.t('waiting.name_hint'));
    const form = h('form', { class: 'sign' }, choice('body', words.t('apply.body'), bodies, { required: true }), number, name, send);
    if (body) form.elements.body.value = body;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      once(send, this.trouble, async () => {
        const body = filled(form);
        const region = regionOf(body.body);
        await this.doors.patch('/api/application', { ...body, ...(region && { region }) });
        await this.#examine();
      });
    });
    return offer('licence', form);
  }

  #documents({ documents = [] }) {
    const input = h('input', { type: 'file', id: 'field-document', accept: KINDS.join(), 'aria-describedby': 'field-document-hint' });
    const bar = h('progress', { max: '1', value: '0', hidden: true, 'aria-label': words.t('waiting.sending') });
    input.addEventListener('change', () => input.files[0] && once(input, this.trouble, () => this.#upload(input, bar)));
    const rows = documents.map((one) => this.#document(one.name));
    return offer('documents',
      rows.length ? h('ul', { class: 'own-things' }, ...rows) : '',
      h('p', { class: 'labelled' }, h('label', { for: 'field-document' }, words.t('waiting.document')), input, h('span', { class: 'hint', id: 'field-document-hint' }, words.t('waiting.document_hint'))),
      bar);
  }

  #document(name) {
    const path = `/api/application/documents/${encodeURIComponent(name)}`;
    const gone = markButton('close', words.t('waiting.document_away', { name }), () => once(gone, this.trouble, async () => {
      await this.doors.delete(path);
      await this.#load(true);
    }));
    return h('li', {}, h('span', {}, icon('check'), ' ', name), gone);
  }

  async #upload(input, bar) {
    const [file] = input.files;
    if (!KINDS.includes(file.type) || file.size > MOST_BYTES) {
      input.value = '';
      return write(this.trouble, words.t('waiting.document_not'));
    }
    bar.hidden = false;
    try {
      await upload(`/api/application/documents/${encodeURIComponent(file.name)}`, file, (part) => (bar.value = part));
    } finally {
      bar.hidden = true;
    }
    await this.#load(true);
    return write(this.said, words.t('waiting.document_kept', { name: file.name }));
  }

  #vouchers() {
    return offer('vouchers', h('p', {}, words.t('waiting.vouchers_how')));
  }

  #houses(providers) {
    return offer('houses', h('div', { class: 'choices' }, ...houseButtons(providers)));
  }

  async #examine() {
    await this.doors.post('/api/application/examine');
    await this.#load(true);
    write(this.said, words.t('waiting.looked', { hour: words.hour(Date.now()) }));
  }
}

function step({ id, done, next }) {
  const title = words.coded('waiting.step', id);
  const state = words.t(done ? 'waiting.done' : 'waiting.due');
  const how = !done && next && words.has(next) ? h('p', { class: 'foot' }, words.t(next)) : '';
  return h('li', { class: done ? 'done' : 'due' }, icon(done ? 'check' : 'wait'), h('div', {}, h('p', {}, h('b', {}, title), ' · ', state), how));
}

/** A next step that folds away: its title, what it gives, and what it takes. */
function offer(name, ...children) {
  return h('details', { class: 'offer', data: { offer: name } }, h('summary', {}, h('b', {}, words.t(`waiting.${name}`))), h('p', {}, words.t(`waiting.${name}_lede`)), ...children);
}

customElements.define('waiting-page', WaitingPage);
