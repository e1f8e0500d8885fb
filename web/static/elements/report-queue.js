// @ts-check
import { words } from '../parts/words.js';
import { AppealCard } from './appeal-card.js';
import { button, h, tell, write } from './dom.js';
import { KeptList, Look } from './kept-list.js';
import { ReportCard } from './report-card.js';

/** Open reports and appeals, the urgent ones first; of one room where the board led here. Tells `actreport` {report}. */
export class ReportQueue extends HTMLElement {
  /** `given`: {doors, titleOf, say}. */
  open(given) {
    Object.assign(this, given);
    if (!this.firstChild) this.#build();
    return this.look();
  }

  /** Only the reports of one room, until all are asked for. */
  narrow(room) {
    this.room = room;
    if (this.known) this.#show();
  }

  look() {
    return this.asked.again();
  }

  #build() {
    const given = { doors: this.doors, titleOf: this.titleOf, say: this.say, again: () => this.look() };
    this.said = h('p', { class: 'said' });
    this.all = button(words.t('moderation.queue_all'), () => this.narrow(null), { class: 'quiet', hidden: true });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    const both = () => Promise.all([this.doors.get('/api/reports'), this.doors.get('/api/appeals')]);
    this.asked = new Look(this.trouble, both, ([{ reports }, { appeals }]) => this.#know({ reports: [...reports].sort(byUrgency), appeals }));
    this.list = h('ul', { class: 'reports', tabindex: '-1', 'aria-describedby': 'queue-keys' });
    this.appeals = h('ul', { class: 'reports', tabindex: '-1' });
    this.appealed = h('section', { 'aria-labelledby': 'appeals-title', hidden: true }, h('h3', { id: 'appeals-title' }, words.t('moderation.appeals')), h('p', { class: 'hint' }, words.t('moderation.appeals_lede')), this.appeals);
    this.keys = h('p', { class: 'hint', id: 'queue-keys' }, words.t('moderation.queue_keys'));
    this.append(h('div', { class: 'choices' }, this.said, this.all), this.trouble, this.list, this.appealed, this.keys);
    this.kept = new KeptList(this.list, () => new ReportCard({ ...given, act: (report) => tell(this, 'actreport', { report }) }));
    this.keptAppeals = new KeptList(this.appeals, () => new AppealCard(given));
  }

  #know(known) {
    this.known = known;
    this.#show();
  }

  #show() {
    const { reports, appeals } = this.known;
    const shown = this.room ? reports.filter(({ room }) => room === this.room) : reports;
    this.kept.show(shown);
    this.keptAppeals.show(appeals);
    this.appealed.hidden = !appeals.length;
    this.all.hidden = !this.room;
    this.keys.hidden = !shown.length && !appeals.length;
    const sum = shown.length ? words.count('moderation.open', shown.length) : words.t('moderation.none_open');
    write(this.said, this.room ? `${this.titleOf(this.room)} · ${sum}` : sum);
  }
}

function byUrgency(one, other) {
  return Number(Boolean(other.urgent)) - Number(Boolean(one.urgent)) || Date.parse(one.at) - Date.parse(other.at);
}

customElements.define('report-queue', ReportQueue);
