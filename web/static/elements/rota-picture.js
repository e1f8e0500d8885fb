// @ts-check
import { words } from '../parts/words.js';
import { h } from './dom.js';
import { clock, dayName, days, stretch } from './oncall-times.js';

const SVG = 'http://www.w3.org/2000/svg';
const LANE = 30;
const HEAD = 22;
const BETWEEN = 10;
const LETTER = 7.5;
const HOUR_MS = 3_600_000;

/**
 * A rota as a picture, a line a day and in it a lane a layer, by the clock of the role; where nobody is on it is
 * hatched, where rules disagree it is striped. `rota` is {zone, layers: [name], shifts, gaps, overlaps, nameOf, you};
 * `width` in pixels.
 */
export function rotaPicture(rota, from, count, width) {
  const { layers, zone } = rota;
  const starts = days(from, count, zone);
  const tall = HEAD + layers.length * LANE + BETWEEN;
  const picture = draw('svg', { viewBox: `0 0 ${width} ${count * tall}`, class: 'rota', role: 'img', 'aria-label': words.t('rota.picture', { n: count }) });
  picture.append(hatched());
  for (let day = 0; day < count; day += 1) picture.append(...line(rota, { begins: starts[day], ends: starts[day + 1], top: day * tall, width }));
  return picture;
}

/** The same in words, for who does not see it, and with exact times. */
export function rotaTable({ shifts, gaps, overlaps, nameOf, zone }) {
  const rows = [
    ...shifts.map((each) => ({ ...each, who: each.doctors.map(nameOf).join(', ') })),
    ...gaps.map((each) => ({ ...each, who: gapWords(each, nameOf) })),
    ...overlaps.map((each) => ({ ...each, who: words.t('rota.overlap', { who: each.doctors.map(nameOf).join(', ') }) })),
  ].sort((one, other) => one.starts - other.starts);
  const heads = ['rota.when', 'rota.layer', 'rota.who'].map((key) => h('th', { scope: 'col' }, words.t(key)));
  const lines = rows.map(({ starts, ends, layer, who }) => h('tr', {}, h('th', { scope: 'row' }, stretch(starts, ends, zone)), h('td', {}, layerName(layer)), h('td', {}, who)));
  return h('div', { class: 'scrolls', tabindex: '0', role: 'region', 'aria-label': words.t('rota.table') },
    h('table', {}, h('caption', { class: 'unseen' }, words.t('rota.title')), h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...lines)));
}

export function gapWords({ doctors = [] }, nameOf) {
  return doctors.length ? words.t('rota.unreached', { who: doctors.map(nameOf).join(', ') }) : words.t('rota.nobody');
}

/** What a layer is called: the usual ones in the reader's language. */
export function layerName(name) {
  return words.coded('rota.layer', name);
}

function line(rota, { begins, ends, top, width }) {
  const { layers, zone } = rota;
  const x = (at) => (width * (Math.min(Math.max(at, begins), ends) - begins)) / (ends - begins);
  const made = [text(0, top + 15, dayName(begins, zone), 'day')];
  for (const at of [begins + 12 * HOUR_MS, begins + 18 * HOUR_MS]) made.push(text(x(at), top + 15, clock(at, zone), 'hour'));
  layers.forEach((layer, lane) => {
    const y = top + HEAD + lane * LANE;
    made.push(draw('rect', { x: 0, y: y + 2, width, height: LANE - 4, rx: 4, class: 'empty' }));
    const within = (each) => each.layer === layer && each.starts < ends && each.ends > begins;
    for (const each of rota.shifts.filter(within)) made.push(...bar(each, { x, y, rota }));
    for (const each of rota.gaps.filter(within)) made.push(block(each, { x, y }, 'gap'));
    for (const each of rota.overlaps.filter(within)) made.push(block(each, { x, y }, 'overlap'));
  });
  const now = Date.now();
  if (now > begins && now < ends) made.push(draw('line', { x1: x(now), x2: x(now), y1: top + HEAD, y2: top + HEAD + layers.length * LANE, class: 'at-now' }));
  return made;
}

function bar(shift, { x, y, rota }) {
  const { nameOf, you, zone } = rota;
  const [left, right] = [x(shift.starts), x(shift.ends)];
  const who = shift.doctors.map(nameOf).join(', ');
  const mine = shift.doctors.includes(you) ? ' own' : '';
  const box = draw('rect', { x: left + 1, y: y + 2, width: Math.max(2, right - left - 2), height: LANE - 4, rx: 4, class: `shift${mine}` });
  box.append(titled(`${who}, ${stretch(shift.starts, shift.ends, zone)}`));
  const most = Math.floor((right - left - 12) / LETTER);
  const said = who.length <= most ? who : who.slice(0, Math.max(0, most - 1)) + '…';
  return most < 2 ? [box] : [box, text(left + 7, y + LANE / 2 + 3, said, `who${mine}`)];
}

function block(each, { x, y }, look) {
  const [left, right] = [x(each.starts), x(each.ends)];
  // Somebody has it whom nothing reaches: the name stays to be read above the hatching.
  const tall = each.doctors.length && look === 'gap' ? 5 : LANE - 4;
  const box = draw('rect', { x: left + 1, y: y + LANE - 2 - tall, width: Math.max(3, right - left - 2), height: tall, rx: tall > 5 ? 4 : 1, class: look, ...(look === 'gap' && { fill: 'url(#rota-hatched)' }) });
  box.append(titled(clock(each.starts)));
  return box;
}

function hatched() {
  const pattern = draw('pattern', { id: 'rota-hatched', width: 8, height: 8, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' });
  pattern.append(draw('rect', { width: 8, height: 8, class: 'hatch-ground' }), draw('rect', { width: 3, height: 8, class: 'hatch' }));
  const defs = draw('defs', {});
  defs.append(pattern);
  return defs;
}

function titled(said) {
  const made = draw('title', {});
  made.textContent = said;
  return made;
}

function text(x, y, said, look) {
  const made = draw('text', { x, y, class: look });
  made.textContent = said;
  return made;
}

function draw(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
