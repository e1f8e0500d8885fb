// @ts-check
import { addressOf } from '../parts/router.js';
import { isTalk } from '../parts/talk.js';
import { words } from '../parts/words.js';
import { badge } from './message-row.js';
import { button, h, icon, markButton, tell, write } from './dom.js';
import { when } from './when.js';

/** Open reports, each with the entry it means, and who is muted: an author, never a name. What is done is asked of the page by `ask`. */
export class ModerationBoard extends HTMLElement {
  connectedCallback() {
    if (this.firstChild) return;
    this.heading = h('h2', { tabindex: '-1' }, words.t('moderation.title'));
    this.said = h('p', { role: 'status', class: 'said' });
    this.reports = h('ul', { class: 'reports' });
    this.mutes = h('ul', { class: 'reports' });
    this.muted = h('section', { hidden: true }, h('h3', {}, words.t('moderation.muted')), this.mutes);
    this.append(
      h('header', { class: 'room-head' },
        markButton('back', words.t('app.back'), () => tell(this, 'back'), { class: 'back' }),
        h('div', { class: 'titles' }, this.heading),
        button(words.t('moderation.again'), () => this.look(), { class: 'quiet' })),
      h('div', { class: 'board', tabindex: '0', role: 'region', 'aria-label': words.t('moderation.title') }, this.said, this.reports, this.muted));
  }

  async open({ doors, titleOf }) {
    this.doors = doors;
    this.titleOf = titleOf;
    await this.look();
  }

  async look() {
    try {
      const { reports } = await this.doors.get('/api/reports');
      const { sanctions } = await this.doors.get('/api/sanctions');
      this.reports.replaceChildren(...reports.map((report) => this.#card(report)));
      this.mutes.replaceChildren(...sanctions.map((each) => this.#mute(each)));
      this.muted.hidden = !sanctions.length;
      write(this.said, words.count('moderation.open', reports.length));
    } catch (refusal) {
      write(this.said, words.refusal(refusal));
    }
  }

  #card(report) {
    const { room, seq, kind, note, at, event } = report;
    const gone = event?.kind !== 'say';
    const close = (outcome, primary) => {
      return button(words.t(`moderation.${outcome}`), () => this.#close(report, outcome), { class: primary ? 'primary' : 'quiet' });
    };
    const ask = (act) => () => tell(this, 'ask', { act, report: report.id, room, entry: event, done: () => this.look() });
    return h('li', { class: 'report' },
      h('p', { class: 'report-head' }, h('b', {}, icon('warn'), words.coded('report.kind', kind)), ' · ', isTalk(room) ? words.t('moderation.talk') : this.titleOf(room), ' · ', when(at)),
      note ? h('p', { class: 'note' }, words.t('moderation.note'), ' ', h('q', {}, note)) : '',
      h('blockquote', {}, gone ? h('p', { class: 'gone' }, words.t('row.removed')) : [h('p', { class: 'foot' }, badge(event.by), ` — ${event.by.name}`), h('p', { class: 'text', dir: 'auto' }, event.text)]),
      h('div', { class: 'choices' },
        isTalk(room) ? '' : h('a', { class: 'button quiet', href: addressOf({ name: 'room', room, seq }) }, words.t('moderation.place')),
        ...(gone ? [] : ['hide', 'mute']).map((act) => button(words.t(`action.${act}`), ask(act), { class: 'danger' })),
        close('upheld', gone), close('dismissed', false)));
  }

  #mute({ id, room, reason, until }) {
    const where = room ? (isTalk(room) ? words.t('moderation.talk') : this.titleOf(room)) : words.t('moderation.everywhere');
    const end = until ? words.t('moderation.until', { until: words.exact(until) }) : words.t('mute.minutes.none');
    return h('li', { class: 'report' },
      h('p', { class: 'report-head' }, h('b', {}, words.coded('reason', reason)), ' · ', where, ' · ', end),
      h('div', { class: 'choices' }, button(words.t('moderation.lift'), () => this.#done(() => this.doors.delete(`/api/sanctions/${encodeURIComponent(id)}`)), { class: 'quiet' })));
  }

  #close({ id }, outcome) {
    return this.#done(() => this.doors.post(`/api/reports/${encodeURIComponent(id)}/close`, { outcome }));
  }

  async #done(act) {
    try {
      await act();
      await this.look();
      this.heading.focus();
    } catch (refusal) {
      write(this.said, words.refusal(refusal));
    }
  }
}

customElements.define('moderation-board', ModerationBoard);
