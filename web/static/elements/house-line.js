// @ts-check
import { words } from '../parts/words.js';
import { button, h, icon, tell } from './dom.js';
import { when } from './when.js';

/**
 * A line that stands in the log for words that are gone, or for what was done to the room: what happened, who did it
 * by office, and why. Whoever wrote what is hidden reads here what follows, and may appeal.
 */
export class HouseLine extends HTMLElement {
  /** `view` as of its row. */
  show(entry, view) {
    const row = this.closest('.row');
    this.#unbar(row);
    const said = saidOf(entry, view);
    row?.setAttribute('aria-label', [view.mine && entry.hidden ? words.t('row.by_you') : '', said].filter(Boolean).join(': '));
    const own = view.mine && entry.hidden;
    const appeal = own && !entry.hidden.pending && button(words.t('appeal.ask'), () => tell(this, 'appeal', { room: view.log.room.id, seq: entry.seq }), { class: 'quiet' });
    this.replaceChildren(
      h('p', { class: 'gone' }, MARKS[entry.kind] ? icon(MARKS[entry.kind]) : '', said),
      own ? h('p', { class: 'foot' }, words.t(entry.hidden.pending ? 'row.hidden_pending_own' : 'row.hidden_own')) : '',
      h('p', { class: 'foot' }, own ? h('span', { class: 'you' }, words.t('row.you')) : '', own ? ' ' : '', when(entry.at), appeal ? ' ' : '', appeal || ''));
  }

  /** What could be done with the words goes with them. */
  #unbar(row) {
    const bar = row?.querySelector(':scope > .row-bar');
    if (bar?.contains(document.activeElement)) row.focus({ preventScroll: true });
    bar?.remove();
  }
}

const MARKS = { 'mod.mode': 'shield', 'mod.close': 'shield' };

function saidOf(entry, { mine }) {
  const { kind, by, hidden, mode, reason } = entry;
  if (kind === 'end') return mine ? words.t('talk.by_you') : words.t('talk.ended', { who: by.name });
  if (kind === 'mod.close') return because('room.was_closed', reason);
  if (kind === 'mod.mode') return opened(mode) ? `${words.t('room.was_opened')}.` : because(mode.frozen ? 'room.was_frozen' : 'room.was_slowed', reason, mode.slow);
  if (hidden?.pending) return because('row.hidden_pending', hidden.reason);
  if (hidden?.role === 'house') return because('row.hidden_house', hidden.reason);
  if (hidden) return words.t('row.hidden_because', { why: words.coded('reason', hidden.reason) });
  if (entry.role === 'moderator') return reason ? words.t('row.hidden_because', { why: words.coded('reason', reason) }) : words.t('row.hidden');
  return words.t(entry.role ? 'row.withdrawn' : 'row.removed');
}

function opened({ frozen, slow }) {
  return !frozen && !slow;
}

function because(key, reason, n) {
  const said = n === undefined || !words.has(`${key}.one`) ? words.t(key) : words.count(key, n);
  return reason ? words.t('row.because', { said, why: words.coded('reason', reason) }) : `${said}.`;
}

customElements.define('house-line', HouseLine);
