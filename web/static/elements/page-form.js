// @ts-check
import { fold } from '../parts/points.js';
import { newCid } from '../parts/wire.js';
import { words } from '../parts/words.js';
import { button, h, markButton, tell, write } from './dom.js';
import { once } from './fields.js';
import { HeldText, notPatient } from './held-text.js';
import { moment as dated } from './oncall-times.js';
import { call, emergency } from './page-words.js';
import { keptLine } from './role-list.js';

const LIMIT = 300;
const WHY_LIMIT = 200;
const KEPT = 'page';
const URGENCIES = ['now', 'today', 'routine'];
const MANY = 6;
const NEAR_MS = 20 * 3_600_000;
const WEEK_MS = 6 * 24 * 3_600_000;
const WEEKDAY = { weekday: 'long', hour: 'numeric', minute: '2-digit' };

/**
 * A page to whoever is on duty: a role, how soon, one line. The number to call instead is in sight from the moment
 * a role is chosen. What was typed is kept for the tab, with the cid under which it went out.
 */
export class PageForm extends HTMLElement {
  #roles = [];
  #kept = null;
  #cid = null;

  /** `doors` is the Api, `kept` a Shelf; `page(given)` sends, `paged(room)` goes there, `online()` tells of the line. */
  open({ doors, kept, page, paged, online }) {
    Object.assign(this, { doors, kept, page, paged, online });
    if (!this.firstChild) this.#build();
    this.#look();
  }

  #build() {
    this.heading = h('h2', { tabindex: '-1' }, words.t('page.title'));
    this.filter = h('input', { type: 'search', id: 'page-filter', autocomplete: 'off', spellcheck: 'false' });
    this.filtered = h('p', { class: 'labelled', hidden: true }, h('label', { for: 'page-filter' }, words.t('page.filter')), this.filter);
    this.list = h('div', { class: 'page-roles' });
    this.found = h('p', { class: 'said', role: 'status' }, words.t('page.loading'));
    this.known = h('div', {});
    this.again = button(words.t('send.retry'), () => once(this.again, this.trouble, () => this.#look()), { hidden: true });
    this.first = h('div', { class: 'page-number' });
    this.text = new HeldText('page-text', words.t('page.text'), { limit: LIMIT, required: true, hint: words.t('page.text.hint') });
    this.why = new HeldText('page-why', words.t('page.why'), { limit: WHY_LIMIT, hint: words.t('page.why.hint') });
    this.why.element.hidden = true;
    this.formal = h('input', { type: 'checkbox', name: 'formal', 'aria-describedby': 'page-formal' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.said = h('p', { class: 'said', role: 'status' });
    this.yes = h('button', { type: 'submit', class: 'primary' }, words.t('page.send'));
    this.form = h('form', { class: 'case-form page-form', novalidate: true },
      h('p', { class: 'lede' }, words.t('page.lede')), emergency(),
      h('fieldset', {}, h('legend', {}, words.t('page.whom')), this.filtered, this.known, this.found, this.again, this.list),
      urgencies(), this.text.element,
      h('label', { class: 'radio' }, this.formal, h('span', {}, h('b', {}, words.t('page.agree')), h('span', { class: 'hint', id: 'page-formal' }, words.t('page.agree.hint')))),
      this.why.element,
      h('div', { class: 'case-foot' }, this.first, this.trouble, this.said, h('p', { class: 'choices' }, this.yes)));
    this.append(
      h('header', { class: 'room-head' }, markButton('back', words.t('app.back'), () => tell(this, 'back'), { class: 'back' }), h('div', { class: 'titles' }, this.heading)),
      h('div', { class: 'case-page' }, this.form));
    this.#restore();
    this.form.addEventListener('input', ({ target }) => target !== this.filter && this.#changed());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.filter.addEventListener('input', () => this.#draw());
  }

  /** Who is on call; if that cannot be had it says so, and what was known before stays. */
  async #look() {
    if (!this.#roles.length) write(this.found, words.t('page.loading'));
    try {
      this.#take(await this.doors.get('/api/roles'));
    } catch (refusal) {
      write(this.found, words.t('page.not_loaded', { why: words.refusal(refusal) }));
      this.again.hidden = false;
    }
  }

  /** `kept`: there is no network, and when it was so. */
  #take({ roles, kept = null }) {
    [this.#roles, this.#kept] = [roles, kept];
    this.known.replaceChildren(kept ? keptLine(kept) : '');
    this.filtered.hidden = roles.length <= MANY;
    this.#draw();
    const held = this.again === document.activeElement;
    this.again.hidden = !kept;
    if (held && !kept) (this.list.querySelector('input:enabled') ?? this.heading).focus();
  }

  #draw() {
    const typed = fold(this.filter.value.trim());
    const chosen = this.#role;
    const fits = ({ service, name, specialty }) => fold(`${name} ${service} ${words.specialty(specialty)}`).includes(typed);
    const shown = this.#roles.filter((role) => role.id === chosen || fits(role)).sort((one, other) => Number(other.may_page) - Number(one.may_page));
    this.list.replaceChildren(...shown.map((role) => roleCard(role, role.id === chosen, this.#kept)));
    write(this.found, this.#roles.length ? (typed ? words.count('page.found', shown.length) : '') : words.t('page.no_roles'));
    this.#tellNumber();
  }

  get #role() {
    return this.form.elements.role?.value || this.wanted || '';
  }

  /** The number that answers in any case, beside the button that sends. */
  #tellNumber() {
    const role = this.#roles.find(({ id }) => id === this.#role);
    const told = JSON.stringify(role ?? null);
    if (this.first.dataset.told === told) return;
    this.first.dataset.told = told;
    this.first.replaceChildren(role ? emergency(role.number) : '');
  }

  // — what is kept —

  #changed() {
    this.#cid = null;
    this.wanted = this.#role;
    write(this.trouble, '');
    this.#offerWhy();
    this.#tellNumber();
    this.#keep();
  }

  #keep() {
    this.kept.set(KEPT, { ...this.#given(), cid: this.#cid });
  }

  #restore() {
    const { role = '', urgency = '', text = '', formal = false, override = '', cid = null } = this.kept.get(KEPT, {});
    [this.wanted, this.#cid] = [role, cid];
    for (const radio of this.form.elements.urgency) radio.checked = radio.value === urgency;
    [this.text.value, this.formal.checked, this.why.value] = [text, formal, override];
    this.#offerWhy();
  }

  #given() {
    return {
      role: this.#role, urgency: this.form.elements.urgency.value, text: this.text.value,
      ...(this.formal.checked && { formal: true }), ...(this.why.value && !this.why.element.hidden && { override: this.why.value }),
    };
  }

  // — sending —

  async #submit() {
    if (!this.#role) return this.#needRole();
    if (!this.form.elements.urgency.value) return this.#needUrgency();
    if (!this.text.value) return this.text.refuse(words.t('page.need_text'));
    if (this.text.isOver) return this.text.refuse(words.t('case.too_long'));
    write(this.said, words.t(this.online() ? 'page.sending' : 'page.waiting_line'));
    const sent = await once(this.yes, this.trouble, () => this.#sent());
    write(this.said, '');
    if (!sent) return undefined;
    this.kept.remove(KEPT);
    this.#cid = null;
    this.#restore();
    this.#draw();
    return this.paged(sent.room);
  }

  #needRole() {
    write(this.trouble, words.t('page.need_role'));
    (this.list.querySelector('input') ?? this.heading).focus();
  }

  #needUrgency() {
    write(this.trouble, words.t('page.need_urgency'));
    this.form.elements.urgency[0].focus();
  }

  /** What is not for now may wait for the morning or the next hour, unless there is a reason. */
  #offerWhy(isWanted = false) {
    const { value } = this.form.elements.urgency;
    this.why.element.hidden = !isWanted && !this.why.value && (!value || value === 'now');
  }

  async #sent() {
    this.#cid ??= newCid();
    this.#keep();
    try {
      return await this.page({ ...this.#given(), ...notPatient(this.text, this.why), cid: this.#cid });
    } catch (refusal) {
      if (refusal.code === 'held_privacy') return this.#held(refusal);
      if (refusal.field === 'override') this.#askWhy();
      throw refusal;
    }
  }

  /** It would wait, or those on duty have had their share: what does not wait says why. */
  #askWhy() {
    this.#cid = null;
    this.#offerWhy(true);
    this.why.focus();
  }

  #held({ field, spans = [] }) {
    const held = field === 'override' ? this.why : this.text;
    held.hold(spans);
    held.focus();
    return null;
  }
}

/** A role as one chooses it: who answers, until when, how busy, whether reachable, and the number. */
function roleCard(role, checked, kept) {
  const { id, name, service, number, may_page: mayPage } = role;
  const told = `role-${id}`;
  return h('div', { class: 'page-role' },
    h('label', { class: 'radio' },
      h('input', { type: 'radio', name: 'role', value: id, checked, disabled: !mayPage, 'aria-describedby': told }),
      h('span', {}, h('b', {}, name), h('span', { class: 'role-service' }, service), h('span', { class: 'hint', id: told }, ...facts(role, kept)))),
    number ? call(number, { class: 'button quiet page-call', 'aria-label': words.t('page.call_role', { name, service, number }) }) : '');
}

/** What the sender may know: covered or not, until when, calm or busy, reachable or not. */
function facts(role, kept) {
  const { covered, until, next, load, reachable, may_page: mayPage } = role;
  if (!mayPage) return [words.t('page.may_not')];
  if (kept) return [coverageWords(role), ' · ', words.t('page.kept_unknown')];
  if (!covered) return [h('b', { class: 'uncovered' }, words.t('page.nobody_on')), next ? ` ${words.t('page.next_on', { at: moment(next) })}` : ''];
  const told = [words.t('page.on_until', { at: until ? moment(until) : '' }), load && load !== 'unknown' && words.t(`page.load.${load}`)].filter(Boolean).join(' · ');
  return [told, ' · ', reachable ? words.t('page.reachable') : h('b', { class: 'uncovered' }, words.t('page.unreachable'))];
}

/** As it was known; what has passed since is told as past. */
function coverageWords({ covered, until, next }) {
  if (covered && until && Date.parse(until) < Date.now()) return words.t('oncall.was_covered', { at: dated(until) });
  if (covered) return until ? words.t('page.on_until', { at: dated(until) }) : words.t('oncall.covered');
  return next ? words.t('oncall.bare_until', { at: dated(next) }) : words.t('oncall.bare');
}

/** The hour of what is near, else with its day. */
function moment(at) {
  const left = Date.parse(at) - Date.now();
  if (left > WEEK_MS) return words.short.format(new Date(at));
  return left < NEAR_MS ? words.hour(at) : new Intl.DateTimeFormat(words.lang, WEEKDAY).format(new Date(at));
}

function urgencies() {
  const radios = URGENCIES.map((urgency) => h('label', { class: `radio ${urgency}` },
    h('input', { type: 'radio', name: 'urgency', value: urgency, 'aria-describedby': `page-urgency-${urgency}` }),
    h('span', {}, h('b', {}, words.t(`page.urgency.${urgency}`)), h('span', { class: 'hint', id: `page-urgency-${urgency}` }, words.t(`page.urgency.${urgency}.hint`)))));
  return h('fieldset', { class: 'urgencies' }, h('legend', {}, words.t('page.urgency')), ...radios);
}

customElements.define('page-form', PageForm);
