// @ts-check
import { words } from '../parts/words.js';
import { h, icon } from './dom.js';
import { when } from './when.js';

const MARKS = { agrees: 'check', disagrees: 'warn', unknown: 'help', away: 'wait' };

/** What each source found, in words beside a mark: [{source, verdict, reason, at}]. */
export function findingList(findings) {
  if (!findings.length) return h('p', { class: 'none' }, words.t('finding.none'));
  return h('ul', { class: 'findings' }, ...findings.map(finding));
}

function finding({ source, verdict, reason, at }) {
  const why = reason && words.has(`standing.${reason}`) ? h('p', {}, words.t(`standing.${reason}`)) : '';
  return h('li', { class: `finding ${verdict}` }, icon(MARKS[verdict] ?? 'help'),
    h('div', {}, h('p', {}, h('b', {}, sourceName(source)), ' · ', words.coded('finding', verdict)), why, at ? h('p', { class: 'foot' }, when(at)) : ''));
}

/** A source by its kind: "register:us.npi" and "oidc:hospital" keep what stands after the colon. */
function sourceName(source) {
  const [kind, which] = source.split(':', 2);
  const name = words.coded('source', kind);
  if (!which) return name;
  return `${name} (${words.body(which)})`;
}
