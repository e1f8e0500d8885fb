// @ts-check
import { words } from '../parts/words.js';
import { h } from './dom.js';
import { badge } from './message-row.js';

/** One opinion: up to three ranked names, why, and as what its doctor is shown. */
export function opinion({ ranked, why, badge: worn }, asker) {
  return [
    h('ol', { class: 'ranked' }, ...ranked.map((name) => h('li', { dir: 'auto' }, name))),
    why && h('p', { class: 'why', dir: 'auto' }, why),
    worn && h('p', { class: 'foot' }, badge({ badge: worn }), ' · ', licence(worn, asker)),
  ].filter(Boolean);
}

/** Whether an adviser is licensed where the asker is, as far as the badges that are shown tell. */
export function licence(worn = {}, asker) {
  const there = asker?.badge?.country;
  if (!worn.country) return words.t('licence.unsaid');
  const own = words.country(worn.country);
  if (!there) return words.t('licence.only', { own });
  return words.t(there === worn.country ? 'licence.same' : 'licence.other', { own, there: words.country(there) });
}
