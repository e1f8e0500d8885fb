// @ts-check
import { words } from '../parts/words.js';
import { isOfTwo } from '../parts/talk.js';
import { h } from './dom.js';
import { badge } from './message-row.js';
import { when } from './when.js';

/** An entry as a moderator reads it elsewhere than in its room: a persona and its words, or why there are none. */
export function quoteOf(event, { marked = false, placed = false } = {}) {
  const who = event?.by?.name ? [badge(event.by), ` — ${event.by.name}`] : [];
  const at = placed && event?.at ? [who.length ? ' · ' : '', when(event.at)] : [];
  const head = who.length || at.length ? h('p', { class: 'foot' }, ...who, ...at) : '';
  return h('blockquote', { class: marked ? 'marked' : '' }, head, h('p', { class: standing(event) ? 'gone' : 'text', dir: 'auto' }, standing(event) ?? textOf(event)));
}

/** A room as it is called on the board; of two it is only said that it is one. */
export function placeName(room, titleOf) {
  return isOfTwo(room) ? words.t('moderation.talk') : titleOf(room);
}

/** Whether an entry is out of sight for now, and can be brought back. */
export function isHidden(event) {
  return Boolean(event?.hidden);
}

function standing(event) {
  if (!event || event.kind === 'tombstone') return event?.hidden ? hiddenWords(event.hidden) : words.t('row.removed');
  return textOf(event) ? null : words.coded('row', event.kind);
}

function textOf({ text, question }) {
  return text ?? question ?? '';
}

function hiddenWords({ role, reason, pending }) {
  const why = words.coded('reason', reason);
  if (pending) return words.t('moderation.hidden_pending', { why });
  return words.t(role === 'moderator' ? 'row.hidden_because' : 'moderation.hidden_crowd', { why });
}
