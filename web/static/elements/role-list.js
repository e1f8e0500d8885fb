// @ts-check
import { words } from '../parts/words.js';
import { button, h, icon } from './dom.js';
import { moment } from './oncall-times.js';

/** Roles as cards: who may be called where, whether somebody is on, and until when. `open(role)` shows its rota. */
export function roleList(roles, { open = null, kept = null } = {}) {
  if (!roles.length) return [h('p', { class: 'none' }, words.t('oncall.none'))];
  const sorted = [...roles].sort((one, other) => Number(!one.mine) - Number(!other.mine));
  return [h('ul', { class: 'roles-on-call' }, ...sorted.map((role) => card(kept ? stale(role) : role, open)))];
}

/** When what is shown was known, where there is no network now. */
export function keptLine(kept) {
  return h('p', { class: 'kept', role: 'status' }, icon('warn'), words.t('oncall.kept', { at: moment(kept) }));
}

/** To be called in any case, by the telephone. */
export function callLink(number) {
  return h('a', { class: 'button', href: `tel:${number.replace(/[^+\d]/g, '')}` }, words.t('oncall.call', { number }));
}

/** As it was known: who is busy, and whom something reaches, is not known any more. */
function stale(role) {
  return { ...role, load: 'unknown', reachable: true };
}

/** Whether somebody has it, in words and a mark. */
export function coverage({ covered, until, next }) {
  if (covered && until && Date.parse(until) < Date.now()) return h('p', {}, icon('wait'), words.t('oncall.was_covered', { at: moment(until) }));
  if (covered) return h('p', {}, icon('check'), until ? words.t('oncall.covered_until', { at: moment(until) }) : words.t('oncall.covered'));
  return h('p', { class: 'bare' }, icon('warn'), next ? words.t('oncall.bare_until', { at: moment(next) }) : words.t('oncall.bare'));
}

function card(role, open) {
  const { service, name, number, mine, reachable, covered, load } = role;
  const facts = [mine && words.t(`oncall.mine.${mine}`), covered && load !== 'unknown' && words.t(`oncall.load.${load}`)].filter(Boolean);
  return h('li', { class: 'role-card' },
    h('div', {}, h('h3', {}, service), h('p', { class: 'role-name' }, name)),
    h('div', { class: 'coverage' },
      coverage(role),
      covered && !reachable ? h('p', { class: 'bare' }, icon('warn'), words.t('oncall.unreachable')) : '',
      facts.length ? h('p', { class: 'foot' }, facts.join(' · ')) : ''),
    h('div', { class: 'choices' }, callLink(number), open && mine ? button(words.t('oncall.rota'), () => open(role), { class: 'quiet', 'aria-label': words.t('oncall.rota_of', { service, name }) }) : ''));
}
