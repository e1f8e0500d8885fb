// @ts-check
import { words } from '../parts/words.js';
import { button, h, tell } from './dom.js';
import { authorOf } from './message-row.js';
import { when } from './when.js';

const OFFERED_MS = 7 * 24 * 3_600_000;

/** A line in a doctor's own log: what happened, what she may do about it, and where. */
export class NoticeCard extends HTMLElement {
  #shown = null;

  /** `view` as of its row: {titleOf, log: {room, answers: {rooms, declined}}}. */
  show(entry, view) {
    const answer = answered(entry, view.log);
    if (this.#shown?.entry === entry && this.#shown.answer === answer) return;
    this.#shown = { entry, answer };
    this.replaceChildren(...[h('p', { class: 'text' }, noticeWords(entry, view)), choices(entry, answer), foot(entry)].filter(Boolean));
  }
}

/** What became of a notice that asks for something: open · withdrawn · declined · told · lapsed, or nothing yet. */
function answered({ seq, at, notice, talk, about, target }, { room: { timeline }, answers: { rooms, declined } }) {
  const since = (is) => timeline.between(seq + 1, Infinity).some(is);
  if (talk && since((one) => one.notice === 'talk_withdrawn' && one.talk === talk)) return 'withdrawn';
  if (talk) return rooms.get(talk) ? 'open' : declined.has(talk) ? 'declined' : '';
  if (notice !== 'reveal_offered') return '';
  if (since((one) => one.notice === 'revealed' && one.about === about && one.target === target)) return 'told';
  return Date.now() - Date.parse(at) > OFFERED_MS ? 'lapsed' : '';
}

function noticeWords(entry, { titleOf }) {
  const key = `notice.${entry.notice}`;
  const reason = entry.reason ? words.coded('reason', entry.reason) : '';
  const room = entry.about && titleOf ? titleOf(entry.about) : entry.about ?? '';
  return words.t(words.has(key) ? key : 'row.notice', { who: authorOf(entry), name: entry.name ?? '', room, reason, until: entry.until ? words.exact(entry.until) : '' });
}

function choices(entry, answer) {
  const { notice, talk } = entry;
  if (notice === 'reveal_offered' && answer === 'lapsed') return h('p', { class: 'gone' }, words.t('reveal.lapsed'));
  if (notice === 'reveal_offered' && !answer) return h('div', { class: 'choices' }, button(words.t('reveal.answer'), ({ target }) => tell(target, 'names', entry), { class: 'primary' }));
  if (!talk) return null;
  if (answer === 'open' || notice === 'talk_accepted') return h('p', {}, h('a', { class: 'button', href: `/rooms/${talk}` }, words.t('talk.open')));
  if (notice !== 'talk_asked') return null;
  if (answer === 'withdrawn') return h('p', { class: 'gone' }, words.t('talk.withdrawn'));
  if (answer === 'declined') return h('p', { class: 'gone' }, words.t('talk.declined'));
  const choice = (key, accept, look) => button(words.t(key), ({ target }) => tell(target, 'answer', { talk, accept }), { class: look });
  return h('div', { class: 'choices' }, choice('talk.accept', true, 'primary'), choice('talk.decline', false, 'quiet'));
}

function foot({ at, about, target }) {
  const href = about && `/rooms/${about}${target ? `#${target}` : ''}`;
  const link = href && h('a', { href }, words.t('row.open_place'));
  return h('p', { class: 'foot' }, when(at), link ? ' · ' : null, link || null);
}

customElements.define('notice-card', NoticeCard);
