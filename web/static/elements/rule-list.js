// @ts-check
import { words } from '../parts/words.js';
import { button, h, tell, write } from './dom.js';
import { once } from './fields.js';
import { Look } from './kept-list.js';
import { RuleForm } from './rule-form.js';
import { when } from './when.js';

/** The rules before posting, each as a sentence; and the form that makes or changes one, with its dry run. */
export class RuleList extends HTMLElement {
  #shown = '';

  /** `given`: {doors, titleOf, say, rooms(): [[id, title]]}. */
  open(given) {
    Object.assign(this, given);
    if (!this.firstChild) this.#build();
    if (!this.form.firstChild) return this.look();
    return undefined;
  }

  look() {
    return this.asked.again();
  }

  #build() {
    this.said = h('p', { class: 'said', role: 'status' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.asked = new Look(this.trouble, () => this.doors.get('/api/rules'), ({ rules }) => this.#show(rules));
    this.list = h('ul', { class: 'reports' });
    this.form = h('div', { class: 'rule-place' });
    this.add = button(words.t('moderation.rule_new'), () => this.#edit(null));
    this.shelf = h('div', { class: 'rule-shelf' }, h('p', { class: 'hint' }, words.t('moderation.rules_lede')), this.said, this.trouble, this.list, h('div', { class: 'choices' }, this.add));
    this.append(this.shelf, this.form);
  }

  #show(rules) {
    write(this.said, rules.length ? words.count('moderation.rules', rules.length) : words.t('moderation.rules_none'));
    const now = JSON.stringify(rules);
    if (now === this.#shown) return;
    this.#shown = now;
    this.list.replaceChildren(...rules.map((kept) => this.#line(kept)));
  }

  #line(kept) {
    const { rule, at } = kept;
    const where = rule.rooms ? rule.rooms.map((room) => this.titleOf(room)).join(', ') : words.t('moderation.rule_everywhere');
    const spared = (rule.exempt ?? []).map((grade) => words.t(`apply.grade.${grade}`)).join(', ');
    const away = button(words.t('moderation.rule_remove'), ({ currentTarget }) => this.#remove(currentTarget, kept), { class: 'danger' });
    return h('li', { class: 'report', data: { rule: kept.id } },
      h('p', { class: 'report-head' }, h('b', {}, rule.name), h('span', {}, words.t(`moderation.action.${rule.action}`)), h('span', {}, words.coded('reason', rule.reason))),
      h('p', {}, testWords(rule.test)),
      h('p', { class: 'foot' }, where, spared ? ` · ${words.t('moderation.rule_spares', { who: spared })}` : '', ' · ', words.t('moderation.rule_at'), ' ', when(at)),
      h('p', { class: 'note' }, words.t('moderation.rule_words_are'), ' ', h('q', { dir: 'auto' }, rule.words)),
      h('div', { class: 'choices' }, button(words.t('moderation.rule_change'), () => this.#edit(kept)), away));
  }

  /** The rules make room for the form: one thing at a time. */
  #edit(kept) {
    const form = new RuleForm({ doors: this.doors, titleOf: this.titleOf, rooms: this.rooms(), kept, done: (key) => this.#done(key) });
    this.shelf.hidden = true;
    this.form.replaceChildren(form.build());
    form.focus();
  }

  async #done(key) {
    this.form.replaceChildren();
    this.shelf.hidden = false;
    if (key) this.say(words.t(key));
    await this.look();
    this.add.focus();
    tell(this, 'ruled');
  }

  #remove(control, { id, rule }) {
    if (!control.dataset.sure) {
      control.dataset.sure = 'yes';
      return write(control, words.t('moderation.rule_remove_sure', { name: rule.name }));
    }
    return once(control, this.trouble, async () => {
      await this.doors.delete(`/api/rules/${encodeURIComponent(id)}`);
      this.say(words.t('moderation.rule_removed'));
      await this.look();
      this.add.focus();
    });
  }
}

/** What a rule looks at, as a sentence. */
export function testWords(test) {
  const listed = (domains) => new Intl.ListFormat(words.lang).format(domains);
  const said = {
    pattern: () => words.t(test.cased ? 'moderation.test.pattern_cased' : 'moderation.test.pattern', { pattern: test.pattern }),
    links: () => (test.denied?.length ? words.t('moderation.test.links_denied', { domains: listed(test.denied) }) : test.allowed?.length ? words.t('moderation.test.links_allowed', { domains: listed(test.allowed) }) : words.t('moderation.test.links')),
    repetition: () => words.t('moderation.test.repetition', { times: test.times, minutes: test.minutes }),
    flood: () => words.t('moderation.test.flood', { says: test.says, seconds: test.seconds }),
    mentions: () => words.t('moderation.test.mentions', { most: test.most }),
  };
  return said[test.kind]?.() ?? test.kind;
}

customElements.define('rule-list', RuleList);
