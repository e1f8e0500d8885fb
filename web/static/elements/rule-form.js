// @ts-check
import { words } from '../parts/words.js';
import { KINDS } from './dialogs.js';
import { button, h, icon, put, write } from './dom.js';
import { choice, once } from './fields.js';
import { RuleTrial } from './rule-trial.js';

const TESTS = ['pattern', 'links', 'repetition', 'flood', 'mentions'];
const ACTIONS = ['alert', 'hold', 'block'];
const GRADES = ['trainee', 'specialist', 'generalist'];
/** Of each kind its numbers: [name, least, most, at first]. */
const NUMBERS = {
  repetition: [['times', 2, 20, 3], ['minutes', 1, 1440, 10]],
  flood: [['says', 2, 100, 10], ['seconds', 1, 600, 60]],
  mentions: [['most', 1, 50, 5]],
};

/** Makes a rule, or changes the one that is `kept`; tries it on last week's log first, if asked. */
export class RuleForm {
  #rooms = [];

  /** `rooms`: [[id, title]]; `done(key)`: it is over, with what is to be said. */
  constructor(given) {
    Object.assign(this, given);
    this.rule = given.kept?.rule;
    this.#rooms = [...(this.rule?.rooms ?? [])];
  }

  build() {
    const { rule } = this;
    this.said = h('p', { class: 'trouble', role: 'alert' });
    this.heading = h('h3', { tabindex: '-1' }, rule ? words.t('moderation.rule_changing', { name: rule.name }) : words.t('moderation.rule_new'));
    this.tests = h('div', { class: 'rule-test' });
    this.trial = new RuleTrial({ doors: this.doors, titleOf: this.titleOf, rule: () => this.#rule() });
    this.keep = h('button', { type: 'submit', class: 'primary' }, words.t('moderation.rule_keep'));
    const kind = choice('kind', words.t('moderation.rule_kind'), TESTS.map((each) => [each, words.t(`moderation.rule_kind.${each}`)]));
    this.form = h('form', { class: 'rule-form' }, this.heading,
      text('name', words.t('moderation.rule_name'), { required: true, maxlength: '80', value: rule?.name }),
      kind, this.tests, this.#where(), this.#spared(), this.#then(),
      h('div', { class: 'choices' }, this.trial.start), this.trial.element, this.said,
      h('div', { class: 'choices' }, this.keep, button(words.t('dialog.cancel'), () => this.done(), { class: 'quiet' })));
    this.form.elements.kind.value = rule?.test.kind ?? TESTS[0];
    this.form.elements.kind.addEventListener('change', () => this.#drawTest({}));
    this.form.addEventListener('input', () => this.trial.stale());
    this.form.addEventListener('submit', (event) => this.#submit(event));
    this.#drawTest(rule?.test ?? {});
    return this.form;
  }

  focus() {
    this.heading.focus();
    this.heading.scrollIntoView({ block: 'nearest' });
  }

  #drawTest(test) {
    const kind = this.form.elements.kind.value;
    const parts = {
      pattern: () => [text('pattern', words.t('moderation.rule_pattern'), { required: true, maxlength: '500', spellcheck: 'false', autocapitalize: 'off', value: test.pattern }, words.t('moderation.rule_pattern_hint')), tick('cased', words.t('moderation.rule_cased'), test.cased)],
      links: () => [area('denied', words.t('moderation.rule_denied'), (test.denied ?? []).join('\n'), words.t('moderation.rule_domains_hint')), area('allowed', words.t('moderation.rule_allowed'), (test.allowed ?? []).join('\n'), words.t('moderation.rule_allowed_hint'))],
    };
    const numbers = () => [h('div', { class: 'side-by-side' }, ...NUMBERS[kind].map(([name, least, most, first]) => text(name, words.t(`moderation.rule_${name}`), { type: 'number', required: true, min: least, max: most, value: test[name] ?? first })))];
    this.tests.replaceChildren(h('p', { class: 'hint' }, words.t(`moderation.rule_kind_hint.${kind}`)), ...(parts[kind] ?? numbers)());
  }

  #where() {
    this.chips = h('ul', { class: 'chips' });
    const add = choice('room', words.t('moderation.rule_rooms'), [['', words.t('moderation.rule_rooms_add')], ...this.rooms], {}, words.t('moderation.rule_rooms_hint'));
    const select = add.querySelector('select');
    select.addEventListener('change', () => {
      if (select.value && !this.#rooms.includes(select.value)) this.#rooms.push(select.value);
      select.value = '';
      this.#drawRooms();
    });
    this.#drawRooms();
    return h('div', { class: 'rule-rooms' }, add, this.chips);
  }

  #drawRooms() {
    this.chips.hidden = !this.#rooms.length;
    this.chips.replaceChildren(...this.#rooms.map((room) => {
      const away = words.t('moderation.rule_rooms_remove', { room: this.titleOf(room) });
      return h('li', {}, h('button', { type: 'button', class: 'chip', 'aria-label': away, title: away, on: { click: () => this.#dropRoom(room) } }, h('span', {}, this.titleOf(room)), icon('close')));
    }));
  }

  #dropRoom(room) {
    this.#rooms = this.#rooms.filter((each) => each !== room);
    this.#drawRooms();
    this.trial.stale();
    this.form.elements.room.focus();
  }

  #spared() {
    const ticks = GRADES.map((grade) => tick('exempt', words.t(`apply.grade.${grade}`), this.rule?.exempt?.includes(grade), grade));
    return h('fieldset', {}, h('legend', {}, words.t('moderation.rule_exempt')), h('p', { class: 'hint' }, words.t('moderation.rule_exempt_hint')), h('div', { class: 'ticks' }, ...ticks));
  }

  #then() {
    const radios = ACTIONS.map((action) => h('label', { class: 'radio' }, h('input', { type: 'radio', name: 'action', value: action, checked: action === (this.rule?.action ?? 'alert') }), h('span', {}, h('b', {}, words.t(`moderation.action.${action}`)), h('span', { class: 'hint' }, words.t(`moderation.action_hint.${action}`)))));
    const why = choice('reason', words.t('moderation.why'), KINDS.map((reason) => [reason, words.t(`report.kind.${reason}`)]));
    why.querySelector('select').value = this.rule?.reason ?? 'other';
    return h('div', { class: 'rule-then' }, h('fieldset', {}, h('legend', {}, words.t('moderation.rule_then')), ...radios), why,
      area('words', words.t('moderation.rule_words'), this.rule?.words ?? '', words.t('moderation.rule_words_hint'), { required: true, maxlength: '300' }));
  }

  /** The rule as it stands in the form, or null where something is missing: then the form says what. */
  #rule() {
    if (!this.form.reportValidity()) return null;
    const given = new FormData(this.form);
    const one = (name) => String(given.get(name) ?? '').trim();
    return {
      name: one('name'), test: this.#test(one), action: one('action'), reason: one('reason'), words: one('words'),
      exempt: given.getAll('exempt'), ...(this.#rooms.length && { rooms: this.#rooms }),
    };
  }

  #test(one) {
    const kind = one('kind');
    const domains = (name) => one(name).split(/[\s,]+/).filter(Boolean);
    if (kind === 'pattern') return { kind, pattern: one('pattern'), cased: one('cased') !== '' };
    if (kind === 'links') return { kind, allowed: domains('allowed'), denied: domains('denied') };
    return { kind, ...Object.fromEntries(NUMBERS[kind].map(([name]) => [name, Number(one(name))])) };
  }

  #submit(event) {
    event.preventDefault();
    const rule = this.#rule();
    if (!rule) return;
    once(this.keep, this.said, async () => {
      const { kept } = this;
      if (kept) await this.doors.put(`/api/rules/${encodeURIComponent(kept.id)}`, { version: kept.version, rule });
      else await this.doors.post('/api/rules', rule);
      this.done('moderation.rule_kept');
    });
  }
}

function text(name, label, attributes, hint = '') {
  const id = `field-rule-${name}`;
  const field = h('input', { id, name, type: 'text', autocomplete: 'off', 'aria-describedby': hint && `${id}-hint`, ...attributes });
  return h('p', { class: 'labelled' }, h('label', { for: id }, label), hint ? h('span', { class: 'hint', id: `${id}-hint` }, hint) : '', field);
}

function area(name, label, value, hint, attributes = { spellcheck: 'false' }) {
  const id = `field-rule-${name}`;
  const field = h('textarea', { id, name, rows: '2', 'aria-describedby': `${id}-hint`, ...attributes });
  field.value = value;
  return h('p', { class: 'labelled' }, h('label', { for: id }, label), h('span', { class: 'hint', id: `${id}-hint` }, hint), field);
}

function tick(name, label, on = false, value = 'yes') {
  const box = h('input', { type: 'checkbox', name, value });
  put(box, 'checked', Boolean(on));
  return h('label', { class: 'radio' }, box, label);
}
