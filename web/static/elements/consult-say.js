// @ts-check
import { words } from '../parts/words.js';
import { button, h, icon } from './dom.js';
import { once } from './fields.js';
import { licence } from './consult-opinion.js';
import { when } from './when.js';

const MARKS = { warning: 'warn', question: 'help' };

/**
 * What a consult adds to a say, as the rows ask for it: what sort it is, where its doctor is licensed, earlier
 * texts struck through, and the change that is still to be acknowledged.
 */
export function besideOf(consult) {
  const asker = consult.case?.by;
  return (entry, { grouped } = {}) => ({
    above: above(entry, !grouped && entry.by.id !== asker?.id && asker),
    text: entry.withdrawn ? h('del', {}, entry.text) : entry.text,
    below: below(entry, consult),
  });
}

function above(entry, asker) {
  const { sort } = entry;
  const parts = [
    asker && h('p', { class: 'licence' }, licence(entry.by.badge, asker)),
    sort && h('p', { class: `sort ${sort}` }, icon(MARKS[sort]), words.t(`sort.${sort}`)),
    ...(entry.versions ?? []).map((version) => earlier(version)),
  ].filter(Boolean);
  return parts.length ? h('div', { class: 'above' }, ...parts) : null;
}

/** Advice is corrected, never overwritten: what was read before stays, struck through. */
function earlier({ at, text }) {
  return h('p', { class: 'earlier' }, h('span', { class: 'edited' }, words.t('row.earlier'), ' ', when(at), ' '), h('del', { dir: 'auto' }, text));
}

function below(entry, consult) {
  const seq = consult.changeOf(entry.seq);
  if (!entry.withdrawn && !seq) return null;
  return h('div', { class: 'below' }, entry.withdrawn && h('p', { class: 'edited' }, words.t('row.struck')), seq && acknowledging(entry, consult));
}

function acknowledging({ seq }, consult) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const seen = button(words.t('ack.yes'), () => once(seen, trouble, () => consult.acknowledge(seq)), {});
  return h('div', { class: 'changed' }, h('p', {}, icon('warn'), words.t('ack.changed')), seen, trouble);
}
