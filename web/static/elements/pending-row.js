// @ts-check
import { words } from '../parts/words.js';
import { badge } from './message-row.js';
import { button, h, icon, tell } from './dom.js';

/** A message that is not yet known to be stored: what became of it, in words, and what one can do. */
export function pendingRow(item, room) {
  const { cid, state, text, you } = item;
  const face = room.you.find(({ id }) => id === you) ?? room.face;
  const choices = actionsOf(state, item.error);
  const fated = h('span', {}, fate(item));
  if (state === 'waiting') counting(fated, item);
  const act = (what) => (event) => tell(event.target, 'unsent', { cid, what });
  const actions = {
    waiting: [button(words.t('send.discard'), act('discard'), { class: 'quiet' })],
    failed: [button(words.t('send.retry'), act('retry'), { class: 'quiet' }), button(words.t('send.discard'), act('discard'), { class: 'quiet' })],
    // It will not go out by being sent again: it has to read otherwise, or a moderator to read it.
    blocked: [button(words.t('send.change'), act('change'), { class: 'quiet' }), button(words.t('send.discard'), act('discard'), { class: 'quiet' })],
    held_rule: [button(words.t('send.understood'), act('discard'), { class: 'quiet' })],
    held: [button(words.t('send.change'), act('change'), { class: 'quiet' }), button(words.t('send.discard'), act('discard'), { class: 'quiet' })],
  };
  return h(
    'article',
    { class: `row say mine pending ${choices === 'held_rule' ? 'kept' : state}`, 'aria-label': words.t('row.by_you'), data: { cid } },
    h('div', { class: 'body' },
      h('header', { class: 'row-head' }, badge(face ?? {}), h('span', { class: 'name' }, face?.name ?? ''), h('span', { class: 'you' }, words.t('row.you'))),
      h('p', { class: 'text', dir: 'auto' }, text),
      h('p', { class: 'fate' }, icon(choices === 'held_rule' ? 'wait' : marks[state]), fated),
      actions[choices] && h('div', { class: 'choices' }, ...actions[choices])),
  );
}

const marks = { pending: 'wait', waiting: 'wait', sent: 'check', failed: 'warn', held: 'shield' };

/** What can be done about it: by its state, and by why it failed. */
function actionsOf(state, error) {
  return state === 'failed' && ['blocked', 'held_rule'].includes(error?.code) ? error.code : state;
}

/** The seconds go by while one looks. */
function counting(node, item) {
  setTimeout(() => {
    if (!node.isConnected || item.state !== 'waiting') return;
    node.textContent = fate(item);
    counting(node, item);
  }, 1000);
}

function fate({ state, error, until }) {
  if (state === 'waiting') {
    const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000));
    return words.count('send.waiting', seconds, { why: words.refusal(error) });
  }
  if (state === 'failed' && error?.code === 'held_rule') return words.refusal(error);
  if (state === 'failed') return words.t('send.failed', { why: words.refusal(error) });
  return words.t(`send.${state}`);
}
