// @ts-check
import { words } from '../parts/words.js';

const DAY_MS = 24 * 3_600_000;
const FULL = { weekday: 'short', day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' };
const made = new Map();

/** "Tue, Nov 24, 8:00 AM": `at` in milliseconds or RFC 3339, by the reader's clock or that of `zone`. */
export function moment(at, zone) {
  return format(FULL, zone).format(new Date(at));
}

/** From one moment until another, saying once what both share. */
export function stretch(starts, ends, zone) {
  return format(FULL, zone).formatRange(new Date(starts), new Date(ends));
}

/** "Tue, Nov 24" */
export function dayName(at, zone) {
  return format({ weekday: 'short', day: 'numeric', month: 'short' }, zone).format(new Date(at));
}

export function clock(at, zone) {
  return format({ hour: 'numeric', minute: '2-digit' }, zone).format(new Date(at));
}

/** The first moments (ms) of `count` days and of the one after them, in a zone, beginning with the day of `at`. */
export function days(at, count, zone) {
  const [year, month, day] = dateIn(at, zone);
  return Array.from({ length: count + 1 }, (_, n) => firstOf(Date.UTC(year, month - 1, day + n), zone));
}

/** What a datetime-local field holds for a moment, by the reader's clock or that of `zone`. */
export function fieldValue(at, zone) {
  return new Date(at + offset(at, zone)).toISOString().slice(0, 16);
}

/** The moment that such a field means by that clock: the first of two; where the clock skips it, as much later. */
export function momentOf(written, zone) {
  const wall = Date.parse(`${written}Z`);
  const [before, after] = [-DAY_MS, DAY_MS].map((far) => wall - offset(wall + far, zone));
  return [before, after].find((at) => at + offset(at, zone) === wall) ?? before;
}

export function here() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'UTC';
}

/** "2026-11-24" */
export function isoDay(at, zone) {
  return dateIn(at, zone).map((part) => String(part).padStart(2, '0')).join('-');
}

function dateIn(at, zone) {
  const parts = format({ year: 'numeric', month: 'numeric', day: 'numeric' }, zone, 'en').formatToParts(new Date(at));
  const part = (name) => Number(parts.find(({ type }) => type === name).value);
  return [part('year'), part('month'), part('day')];
}

/** The moment at which the day begins there whose midnight would be `midnight` at UTC; some clocks skip theirs. */
function firstOf(midnight, zone) {
  const guess = midnight - offset(midnight, zone);
  const better = midnight - offset(guess, zone);
  return better + offset(better, zone) < midnight ? Math.max(guess, better) : better;
}

function offset(at, zone) {
  const parts = format({ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' }, zone, 'en').formatToParts(new Date(at));
  const [year, month, day, hour, minute, second] = ['year', 'month', 'day', 'hour', 'minute', 'second'].map((name) => Number(parts.find(({ type }) => type === name).value));
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}

function format(options, zone, lang = words.lang) {
  const key = JSON.stringify([options, zone, lang]);
  if (!made.has(key)) made.set(key, new Intl.DateTimeFormat(lang, { ...options, timeZone: zone }));
  return made.get(key);
}
