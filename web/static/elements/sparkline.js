// @ts-check
import { words } from '../parts/words.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 150;
const HEIGHT = 32;
/** So that one message in a quiet room is no mountain. */
const LEAST_TOP = 4;

/** The last hour of a room, its minutes from left to right; its words say the same. Written anew by `redraw`. */
export function sparkline() {
  const picture = draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'sparkline', role: 'img', preserveAspectRatio: 'none' });
  picture.append(draw('line', { x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1, class: 'ground' }), draw('path', { class: 'area' }), draw('path', { class: 'line' }), draw('path', { class: 'now' }));
  return picture;
}

/** `says`: how many messages in each minute, the newest last. */
export function redraw(picture, says) {
  const [, area, line, now] = picture.children;
  const top = Math.max(LEAST_TOP, ...says);
  const x = (index) => (index * (WIDTH - 4)) / Math.max(1, says.length - 1);
  const y = (count) => HEIGHT - 1 - (count * (HEIGHT - 5)) / top;
  const points = says.map((count, index) => `${round(x(index))} ${round(y(count))}`);
  line.setAttribute('d', points.length ? `M${points.join('L')}` : '');
  area.setAttribute('d', points.length ? `M0 ${HEIGHT - 1}L${points.join('L')}L${round(x(says.length - 1))} ${HEIGHT - 1}Z` : '');
  // A line of no length with round ends: a dot that stays round however wide the picture is drawn.
  now.setAttribute('d', points.length ? `M${points.at(-1)}h0` : '');
  picture.setAttribute('aria-label', words.t('moderation.hour_words', { n: total(says), now: says.at(-1) ?? 0, most: Math.max(0, ...says) }));
}

export function total(says) {
  return says.reduce((sum, count) => sum + count, 0);
}

function round(value) {
  return Math.round(value * 10) / 10;
}

function draw(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
