// @ts-check
import { start } from '../parts/points.js';
import { words } from '../parts/words.js';
import { button, h, hidden, icon, tell } from './dom.js';
import { later } from './later.js';
import { when } from './when.js';

/** The few reactions there are, each with a meaning: emoji → catalogue key. */
export const REACTIONS = { '👍': 'agree', '🙏': 'thanks', '💡': 'useful', '❓': 'unclear', '⚠️': 'caution', '🧭': 'plan' };
/** In a consult: this changed my plan. Who says so is told when it is corrected. */
export const PLAN = '🧭';
const QUOTED = 140;
/** Kinds of entries that an element of its own shows, by `show(entry, view)`; it is fetched with the first. */
const SHOWN_BY = {
  notice: 'notice-card',
  tombstone: 'house-line', end: 'house-line', 'mod.mode': 'house-line', 'mod.close': 'house-line',
  'poll.open': 'poll-card',
  'consult.card': 'consult-card', 'consult.open': 'consult-case', 'consult.reveal': 'consult-pool',
  'consult.decided': 'consult-end', 'consult.outcome': 'consult-end',
  'page.open': 'page-card', 'page.widened': 'page-widened',
};

export function reactionName(emoji) {
  return REACTIONS[emoji] ? words.t(`reaction.${REACTIONS[emoji]}`) : emoji;
}

/** Who speaks, as it is read out: the badge leads, the made-up name follows. */
export function authorOf({ by }) {
  return by ? `${words.badge(by.badge)}, ${by.name}` : '';
}

/** The badge in sight: "Cardiology · CA", the country in full on demand. */
export function badge({ badge: worn = {} }) {
  const code = [worn.country, worn.region].filter(Boolean).join('-');
  const country = code && h('abbr', { title: words.country(worn.country) }, code);
  return h('span', { class: 'badge' }, words.art(worn), country ? ' · ' : null, country || null);
}

/**
 * One entry of the log. `view` is {grouped, mine, folded, reacted: [emoji], quoted?: entry, address,
 * beside?: what a consult adds to a say: {above, text, below}}.
 * The row stays when the entry changes: `update` writes only its body.
 */
export function makeRow(entry, view) {
  const body = h('div', { class: 'body' });
  const row = h('article', { class: 'row', tabindex: '-1', data: { seq: String(entry.seq) } }, body);
  updateRow(row, entry, view);
  return row;
}

export function updateRow(row, entry, view) {
  row.setAttribute('aria-label', labelOf(entry, view));
  if (SHOWN_BY[entry.kind]) return furnish(row, entry, view);
  const focused = row.firstElementChild.contains(document.activeElement);
  row.className = ['row', entry.kind, view.grouped && 'grouped', view.mine && 'mine'].filter(Boolean).join(' ');
  row.firstElementChild.replaceChildren(...contents(entry, view).filter(Boolean));
  if (focused) row.focus({ preventScroll: true });
}

/** The element stays when the entry changes: what was focused or open in it remains. */
async function furnish(row, entry, view) {
  const tag = SHOWN_BY[entry.kind];
  const part = row.querySelector(tag) ?? h(tag);
  row.className = `row ${tag} ${entry.kind}`;
  part.given = [entry, view];
  if (!part.isConnected) row.firstElementChild.replaceChildren(part);
  await later(tag);
  part.show?.(...part.given);
}

function labelOf(entry, { folded: away, mine }) {
  if (away) return words.t('row.folded');
  if (SHOWN_BY[entry.kind]) return words.t(`row.${entry.kind}`);
  return mine ? words.t('row.by_you') : authorOf(entry);
}

function contents(entry, view) {
  if (view.folded) return [folded(entry)];
  const edited = entry.edited && h('span', { class: 'edited' }, words.t('row.edited'));
  const { above, text = entry.text, below = edited } = view.beside?.(entry, view) ?? {};
  return [
    head(entry, view),
    above,
    entry.reply_to && quote(entry, view),
    h('p', { class: 'text', dir: 'auto' }, text),
    below,
    entry.caution && caution(entry),
    reactions(entry, view),
  ];
}

/** What an ignored persona said: out of sight, and never gone. */
function folded({ seq }) {
  const show = button(words.t('row.unfold'), (event) => tell(event.target, 'unfold', { seq }), { class: 'quiet' });
  return h('p', { class: 'gone' }, words.t('row.folded'), ' ', show);
}

function head(entry, { grouped, mine }) {
  if (grouped) return null;
  const who = entry.by?.name && [badge(entry.by), h('span', { class: 'name' }, entry.by.name)];
  const you = mine && h('span', { class: 'you' }, words.t('row.you'));
  return h('header', { class: 'row-head' }, ...(who || []), you, when(entry.at));
}

function quote(entry, { quoted, address }) {
  const said = quoted?.kind === 'say' ? `${quoted.by.name}: ${start(quoted.text, QUOTED)}` : null;
  const text = said ?? words.t(quoted ? 'row.quote_removed' : 'row.quote_unloaded');
  return h('a', { class: 'quote', href: `${address}#${entry.reply_to}` }, icon('reply'), h('span', { class: 'quoted' }, hidden(`${words.t('row.reply_to')} `), text));
}

function reactions(entry, { reacted }) {
  const counted = Object.entries(entry.reactions ?? {});
  if (!counted.length) return null;
  return h('div', { class: 'reactions' }, ...counted.map(([emoji, n]) => pill(entry, emoji, n, reacted)));
}

function pill(entry, emoji, n, reacted) {
  const name = `${reactionName(emoji)}: ${words.count('reaction.count', n)}`;
  const click = (event) => tell(event.target, 'react', { seq: entry.seq, emoji });
  const pressed = String(reacted.includes(emoji));
  return button(`${emoji} ${words.numbers.format(n)}`, click, {
    class: 'pill', 'aria-label': name, title: reactionName(emoji), 'aria-pressed': pressed,
  });
}

/** Said to be dangerous by several doctors: it stays, and says so. */
function caution(entry) {
  const note = h('caution-note');
  later('caution-note').then(() => note.show?.(entry));
  return note;
}
