// @ts-check
import { words } from '../parts/words.js';
import { newCid } from '../parts/wire.js';
import { ofCodes, part, sealing, urgencies } from './case-parts.js';
import { lasting, usualWords } from './consult-figures.js';
import { h, icon, markButton, button, tell, write } from './dom.js';
import { once } from './fields.js';
import { HeldText, notPatient } from './held-text.js';
import { makeRow } from './message-row.js';
import './specialty-chooser.js';

const QUESTION = 300;
const TEXT = 2000;
const FACES = ['anonymous', 'screen', 'named'];
const USUAL_MINUTES = { now: 20, today: 240, routine: 1440 };
const DRAFT = 'case';

/**
 * A case as a doctor puts it: the question is needed, all else may be left out. What was typed is kept for the tab
 * until it is sent, with the cid under which it went out, so that sending it again opens no second case.
 */
export class ConsultForm extends HTMLElement {
  #asked = 0;
  #cid = null;
  #touched = new Set();

  /** `doors` is the Api, `kept` a Shelf; `preview(as, exact)`, `send(case)` and `opened(room)` act. */
  open({ doors, kept, preview, send, opened }) {
    Object.assign(this, { doors, kept, preview, send, opened });
    if (!this.firstChild) this.#build();
    this.#tellUsual();
    this.#look();
  }

  #build() {
    this.heading = h('h2', { tabindex: '-1' }, words.t('case.title'));
    const text = (name, limit, more = {}) => new HeldText(name, words.t(`case.${name}`), { limit, ...more });
    this.texts = [
      text('question', QUESTION, { required: true, hint: words.t('case.question.hint') }),
      ...['decision', 'presentation', 'findings', 'tried'].map((name) => text(name, TEXT)),
    ];
    this.specialties = document.createElement('specialty-chooser');
    this.usual = h('p', { class: 'usual' });
    this.seen = h('div', { class: 'seen', role: 'group', 'aria-label': words.t('face.preview') });
    this.announced = h('p', { class: 'foot' });
    this.faceTrouble = h('p', { class: 'trouble', role: 'alert' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.yes = h('button', { type: 'submit', class: 'primary' }, words.t('case.send'));
    this.form = this.#layOut();
    this.append(
      h('header', { class: 'room-head' }, markButton('back', words.t('app.back'), () => tell(this, 'back'), { class: 'back' }), h('div', { class: 'titles' }, this.heading)),
      h('div', { class: 'case-page' }, this.form));
    this.#restore();
    this.#listen();
  }

  #layOut() {
    const [question, decision, ...patient] = this.texts.map(({ element }) => element);
    return h('form', { class: 'case-form', novalidate: true },
      h('p', { class: 'lede' }, words.t('case.lede')),
      h('p', { class: 'not' }, icon('warn'), words.t('case.emergency')),
      part('question', question, decision),
      part('patient',
        h('div', { class: 'side-by-side' }, ofCodes('age'), ofCodes('sex')), ...patient),
      part('asked', urgencies(), this.usual, this.specialties, sealing()),
      part('face', h('p', { class: 'label' }, words.t('face.preview')), this.seen, this.announced, this.#faces(), this.faceTrouble),
      h('p', { class: 'choices foot' }, words.t('case.kept'), button(words.t('case.discard'), () => this.#empty(), { class: 'quiet' })),
      h('div', { class: 'case-foot choices' }, this.trouble, this.yes));
  }

  #faces() {
    this.exact = h('input', { type: 'checkbox', name: 'exact', 'aria-describedby': 'case-exact' });
    const radios = FACES.map((as) => h('label', { class: 'radio' }, h('input', { type: 'radio', name: 'as', value: as, checked: as === 'anonymous', 'aria-describedby': `case-as-${as}` }),
      h('span', {}, h('b', {}, words.t(`face.as.${as}`)), h('span', { class: 'hint', id: `case-as-${as}` }, words.t(as === 'anonymous' ? 'case.face.new_name' : `face.as.${as}.hint`)))));
    return h('details', { class: 'faces' }, h('summary', {}, words.t('case.face.change')),
      h('fieldset', {}, h('legend', { class: 'unseen' }, words.t('case.part.face')), ...radios),
      h('label', { class: 'radio' }, this.exact, h('span', {}, h('b', {}, words.t('face.exact')), h('span', { class: 'hint', id: 'case-exact' }, words.t('face.exact_hint')))));
  }

  #listen() {
    this.form.addEventListener('input', () => this.#changed());
    this.form.addEventListener('change', ({ target }) => {
      this.#touched.add(target.name);
      if (target.name === 'as' || target === this.exact) this.#look();
      if (target.name === 'urgency') this.#tellSealing();
    });
    this.specialties.addEventListener('chosen', () => {
      this.#touched.add('specialties');
      this.#changed();
      this.#tellAnnounced();
    });
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  // — what is kept —

  #changed() {
    this.#cid = null;
    write(this.trouble, '');
    this.#keep();
  }

  #keep() {
    this.kept.set(DRAFT, { given: this.#given(), cid: this.#cid });
  }

  #restore() {
    const { given = {}, cid = null } = this.kept.get(DRAFT, {});
    this.#cid = cid;
    for (const text of this.texts) text.value = given[text.name] ?? '';
    const { elements } = this.form;
    for (const name of ['age', 'sex', 'closes_in', 'enough', 'as']) if (given[name]) elements[name].value = String(given[name]);
    elements.urgency.value = given.urgency ?? 'routine';
    this.exact.checked = !!given.exact;
    this.specialties.value = given.specialties ?? [];
    this.#tellSealing();
    this.#touched.clear();
    this.begun = this.kept.get(DRAFT) ? null : this.#begin();
  }

  /** At first her own specialty is asked, and the face worn is the one she usually wears. */
  async #begin() {
    const [{ by }, { as }] = await Promise.all([this.preview(undefined, true), this.doors.get('/api/face')]).catch(() => [{}, {}]);
    // What comes late takes nothing back that was chosen meanwhile.
    if (by?.badge.specialty && !this.#touched.has('specialties')) this.specialties.value = [by.badge.specialty];
    if (as && !this.#touched.has('as')) this.form.elements.as.value = as;
    this.#look();
  }

  #empty() {
    this.kept.remove(DRAFT);
    this.form.reset();
    this.#restore();
    this.#look();
    this.heading.focus();
  }

  /** The case as the wire wants it, without what was left out. */
  #given() {
    const { age, sex, urgency, closes_in, enough, as } = this.form.elements;
    const texts = this.texts.map(({ name, value }) => [name, value]);
    const codes = [['age', age.value], ['sex', sex.value], ['urgency', urgency.value], ['as', as.value]];
    const numbers = [['closes_in', Number(closes_in.value)], ['enough', Number(enough.value)]];
    const given = Object.fromEntries([...texts, ...codes, ...numbers].filter(([, value]) => value));
    return { ...given, specialties: this.specialties.value, ...(this.exact.checked && { exact: true }) };
  }

  // — what is told while it is written —

  async #tellUsual() {
    const { usual } = await this.doors.get('/api/consults?phase=open').catch(() => ({}));
    write(this.usual, usualWords(usual));
  }

  #tellSealing() {
    const usual = USUAL_MINUTES[this.form.elements.urgency.value];
    write(this.form.elements.closes_in.options[0], words.t('case.seal.usual', { lasting: lasting(usual * 60) }));
  }

  /** Asks what others would see, and shows it as the row that they will get. */
  async #look() {
    const asked = ++this.#asked;
    const as = this.form.elements.as.value;
    try {
      const { by } = await this.preview(as, this.exact.checked);
      if (asked === this.#asked) this.#show(by);
    } catch (refusal) {
      if (asked !== this.#asked) return;
      this.seen.replaceChildren(h('p', { class: 'none' }, words.t('face.nothing_yet')));
      write(this.faceTrouble, words.refusal(refusal));
    }
  }

  #show(by) {
    const name = by.as === 'anonymous' ? words.t('case.face.new_name') : by.name;
    const entry = { seq: 0, kind: 'say', by: { ...by, name }, text: words.t('case.face.sample'), at: new Date().toISOString() };
    const row = makeRow(entry, { grouped: false, mine: false, reacted: [], address: '' });
    row.removeAttribute('tabindex');
    this.seen.replaceChildren(row);
    this.badge = by.badge;
    write(this.faceTrouble, '');
    this.#tellAnnounced();
  }

  /** Where the card will stand: a country's room only when the badge shows the country. */
  #tellAnnounced() {
    const rooms = this.specialties.value.map((slug) => words.specialty(slug));
    const { country } = this.badge ?? {};
    if (country) rooms.push(words.t('case.announced.country', { country: words.country(country) }));
    write(this.announced, rooms.length ? words.t('case.announced', { rooms: rooms.join(', ') }) : '');
  }

  // — sending —

  async #submit() {
    const [question] = this.texts;
    const over = this.texts.find(({ isOver }) => isOver);
    if (!question.value) return question.refuse(words.t('case.need_question'));
    if (over) return over.refuse(words.t('case.too_long'));
    write(this.yes, words.t('case.sending'));
    const sent = await once(this.yes, this.trouble, () => this.#sent());
    write(this.yes, words.t('case.send'));
    if (!sent) return undefined;
    this.#empty();
    return this.opened(sent.consult);
  }

  async #sent() {
    await this.begun;
    if (!this.specialties.value.length) return this.specialties.refuse(words.t('case.need_specialty'));
    this.#cid ??= newCid();
    this.#keep();
    try {
      return await this.send({ ...this.#given(), ...notPatient(...this.texts), cid: this.#cid });
    } catch (refusal) {
      if (refusal.code !== 'held_privacy') throw refusal;
      this.#held(refusal);
      return null;
    }
  }

  /** The guard names the field whose words it holds. */
  #held({ field, spans = [], words: why }) {
    const held = this.texts.find(({ name }) => name === field);
    if (!held) return write(this.trouble, why || words.t('compose.held'));
    held.hold(spans);
    held.focus();
    return write(this.trouble, words.t('case.held_at', { field: held.label }));
  }
}

customElements.define('consult-form', ConsultForm);
