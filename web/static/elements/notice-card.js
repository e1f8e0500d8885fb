// @ts-check
import { words } from '../parts/words.js';
import { button, h, tell } from './dom.js';
import { authorOf } from './message-row.js';
import { moment } from './oncall-times.js';
import { addressee, layerWords } from './page-words.js';
import { when } from './when.js';

const DAY_MS = 24 * 3_600_000;
const OFFERED_MS = 7 * DAY_MS;
/** What was decided about her own words: another moderator may look again. */
const DECIDED = /^(hidden|muted\w*|removed|warned)$/;

/** A line in a doctor's own log: what happened, what she may do about it, and where. */
export class NoticeCard extends HTMLElement {
  #shown = null;

  /** `view` as of its row: {titleOf, log: {room, answers: {rooms, declined}}}. */
  show(entry, view) {
    const answer = answered(entry, view.log);
    if (this.#shown?.entry === entry && this.#shown.answer === answer) return;
    this.#shown = { entry, answer };
    this.replaceChildren(...[h('p', { class: 'text' }, noticeWords(entry, view)), noted(entry), choices(entry, answer), foot(entry, answer)].filter(Boolean));
  }
}

/** What the moderator wrote besides. */
function noted({ notice, text }) {
  return text && DECIDED.test(notice) ? h('blockquote', { dir: 'auto' }, text) : null;
}

/** What became of a notice that asks for something: open · withdrawn · declined · told · lapsed, or nothing yet. */
function answered({ seq, at, notice, talk, about, target }, { room: { timeline }, answers: { rooms, declined } }) {
  const since = (is) => timeline.between(seq + 1, Infinity).some(is);
  if (notice === 'page' && since((one) => one.notice === 'page_over' && one.about === about)) return 'over';
  if (notice === 'page') return rooms.get(about) ? 'open' : Date.now() - Date.parse(at) > DAY_MS ? 'over' : '';
  if (DECIDED.test(notice)) return since((one) => /^appeal_/.test(one.notice) && one.about === about && one.target === target) ? 'told' : '';
  if (talk && since((one) => one.notice === 'talk_withdrawn' && one.talk === talk)) return 'withdrawn';
  if (talk) return rooms.get(talk) ? 'open' : declined.has(talk) ? 'declined' : '';
  if (notice !== 'reveal_offered') return '';
  if (since((one) => one.notice === 'revealed' && one.about === about && one.target === target)) return 'told';
  return Date.now() - Date.parse(at) > OFFERED_MS ? 'lapsed' : '';
}

function noticeWords(entry, { titleOf }) {
  if (/^page/.test(entry.notice)) return pageWords(entry);
  const key = `notice.${entry.notice}`;
  const reason = entry.reason ? words.coded('reason', entry.reason) : '';
  const room = entry.about && titleOf ? titleOf(entry.about) : entry.about ?? '';
  const [starts, until] = [entry.starts, entry.until].map((at) => (at ? (entry.service ? moment(at) : words.exact(at)) : ''));
  const layer = entry.layer ? layerWords(entry.layer) : '';
  return words.t(words.has(key) ? key : 'row.notice', { who: authorOf(entry), name: entry.name ?? '', service: entry.service ?? '', layer, room, reason, starts, until, code: entry.code ?? '' });
}

function pageWords({ notice, way = 'page', urgency, text, phase, layer, name, service, number, ...about }) {
  if (notice === 'page') return words.t(`page.said.${way}`, { urgency: words.coded('page.urgency', urgency), to: addressee({ way, name, service, ...about }), text });
  const how = words.has(`page.over.${phase}`) ? words.t(`page.over.${phase}`, { who: layer ? layerWords(layer) : words.t('page.layer.one') }) : '';
  const what = words.t(`notice.${notice}`, { name: [name, service].filter(Boolean).join(', '), how, who: layer ? layerWords(layer) : words.t('page.layer.one') });
  return number ? `${what} ${words.t('page.number', { number })}` : what;
}

function choices(entry, answer) {
  const { notice, talk, about } = entry;
  if (notice === 'page' && answer === 'open') return null;
  if (notice === 'page' && answer) return h('p', { class: 'gone' }, words.t('page.was_over'));
  if (notice === 'page') return h('div', { class: 'choices' }, button(words.t('page.answer'), ({ target }) => tell(target, 'answerpage', { room: about }), { class: 'primary' }));
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

function foot({ at, about, target, notice, role }, answer) {
  // The room of a page is open to whoever accepted it.
  if (notice === 'page_over' || notice === 'page_taken' || (notice === 'page' && answer !== 'open')) return h('p', { class: 'foot' }, when(at));
  const room = about && `/rooms/${about}${target ? `#${target}` : ''}`;
  // What a way to her is about is no room, and what a rota is about has a place of its own.
  const href = notice.startsWith('reach_') ? '/account' : room ?? (role && '/oncall');
  const link = href && h('a', { href }, words.t('row.open_place'));
  const appeal = DECIDED.test(notice) && about && target && !answer;
  const ask = appeal && button(words.t('appeal.ask'), (event) => tell(event.target, 'appeal', { room: about, seq: target }), { class: 'quiet' });
  return h('p', { class: 'foot' }, when(at), link ? ' · ' : null, link || null, ask);
}

customElements.define('notice-card', NoticeCard);
