// @ts-check
import { words } from '../parts/words.js';
import { MARKS, h, icon } from './dom.js';

Object.assign(MARKS, { phone: 'M5 3.5h2.5l1.3 3.3L7.3 8.4a8 8 0 0 0 4.3 4.3l1.6-1.5 3.3 1.3V15c0 1-.8 1.7-1.8 1.6A12 12 0 0 1 3.4 5.3C3.3 4.3 4 3.5 5 3.5Z' });

const SECONDS = { timeStyle: 'medium' };
const STAMPS = ['sent', 'delivered', 'seen', 'accepted', 'answered', 'closed'];

/** To whom a page goes: "Neurology, Thunder Bay Regional"; of a question to whoever is free, the specialty. */
export function addressee({ way, role, name, service, specialty }) {
  if (way === 'ask') return words.t('ask.to', { who: words.specialty(specialty ?? role) });
  return [name ?? role, service].filter(Boolean).join(', ');
}

/** What a layer of a rota is called; one that a keeper named is called so. */
export function layerWords(layer) {
  return words.coded('page.layer', layer);
}

/** That nobody of a specialty is there to be asked now. */
export function lonelyWords(specialty) {
  return words.t('ask.lonely', { who: words.specialty(specialty) });
}

/** A moment to the second, for what is measured in seconds. */
export function clock(at) {
  clock.format ??= new Intl.DateTimeFormat(words.lang, SECONDS);
  return h('time', { datetime: at, 'aria-label': words.exact(at) }, clock.format.format(new Date(at)));
}

/** A telephone number that a thumb can call. */
export function call(number, attributes = { class: 'button' }) {
  // Inside the lounge links are places; this one is the telephone's.
  const on = { click: (event) => event.stopPropagation() };
  return h('a', { href: `tel:${number.replace(/[^\d+*#,;]/g, '')}`, on, ...attributes }, icon('phone'), h('span', { dir: 'ltr' }, number));
}

/** "In an emergency call first", with the number that answers in any case, if there is one. */
export function emergency(number) {
  return h('p', { class: 'page-first' }, icon('warn'), ' ', words.t(number ? 'page.first' : 'page.first_alone'), ' ', number ? call(number, {}) : '');
}

/** Where a page stands, in one sentence. `page` is a page.open as it stands. */
export function standing({ way, state }) {
  const { phase, layer, until, next } = state;
  const asked = way === 'ask' && words.has(`ask.phase.${phase}`);
  const who = layer ? layerWords(layer) : words.t('page.layer.one');
  const at = until ?? next;
  return words.t(`${asked ? 'ask' : 'page'}.phase.${phase}`, { who, at: at ? words.hour(at) : '' });
}

/** What happens next if nobody accepts; empty when nothing is waited for. */
export function ahead({ way, state }) {
  const { phase, layer, step, steps, next, declined, acknowledged, wanted } = state;
  const told = [];
  if (['sent', 'delivered', 'seen'].includes(phase)) {
    if (way !== 'ask' && layer) told.push(words.t('page.alerted', { who: layerWords(layer) }));
    if (next) told.push(words.t(way === 'ask' ? 'ask.until' : last(step, steps) ? 'page.ends_at' : 'page.goes_on_at', { at: words.hour(next) }));
  }
  if (wanted) told.push(words.t('page.acknowledged', { n: acknowledged ?? 0, of: wanted }));
  if (declined) told.push(words.count('page.declined', declined));
  return told.join(' ');
}

/** What a page has come through, each with its time: reached steps, the others named and empty. */
export function timeline({ state: { stamps = {}, phase, layer } }) {
  const over = !['waiting', 'sent', 'delivered', 'seen'].includes(phase);
  const shown = STAMPS.filter((name) => stamps[name] || !over);
  return h('ol', { class: 'page-times' }, ...shown.map((name) => h('li', { class: stamps[name] ? 'reached' : 'ahead' },
    h('span', {}, stamps[name] && name === 'accepted' && layer ? words.t('page.stamp.accepted_by', { who: layerWords(layer) }) : words.t(`page.stamp.${name}`)),
    stamps[name] ? clock(stamps[name]) : h('span', { class: 'not-yet' }, words.t('page.not_yet')))));
}

function last(step, steps) {
  return steps !== undefined && step !== undefined && step >= steps;
}
