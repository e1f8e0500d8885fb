// @ts-check
import { lasting } from './consult-figures.js';

const SVG = 'http://www.w3.org/2000/svg';
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const HEIGHT = 200;
const LEFT = 56;
const BELOW = 28;
const ROOM = 8;
const LABEL = 64;

/**
 * Bars of the median with a line up to the 90th percentile, on a scale of round times.
 * `points` are {label, short, median_s?, p90_s?, n}; what had no case has no bar. `title` names the picture, `width`
 * is what it has in pixels, so that its words keep their size.
 */
export function chart(points, title, width) {
  const most = Math.max(...points.map(({ median_s = 0, p90_s = 0 }) => Math.max(median_s, p90_s)));
  const scale = scaleFor(most);
  const y = (seconds) => ROOM + (HEIGHT - BELOW - ROOM) * (1 - seconds / scale.top);
  const slot = (width - LEFT) / points.length;
  const picture = draw('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, class: 'times', role: 'img', 'aria-label': title });
  for (const seconds of scale.marks) {
    picture.append(draw('line', { x1: LEFT, x2: width, y1: y(seconds), y2: y(seconds), class: 'rule' }));
    picture.append(label(LEFT - 8, y(seconds) + 5, seconds ? lasting(seconds) : '0', 'end'));
  }
  const every = Math.ceil(points.length / Math.floor((width - LEFT) / LABEL));
  points.forEach(({ short, median_s, p90_s }, index) => {
    const middle = LEFT + slot * (index + 0.5);
    if (index % every === 0) picture.append(label(middle, HEIGHT - 8, short, 'middle'));
    if (median_s === undefined) return;
    const wide = Math.min(slot * 0.62, 40);
    picture.append(draw('rect', { x: middle - wide / 2, y: Math.min(y(median_s), y(0) - 2), width: wide, height: Math.max(2, y(0) - y(median_s)), rx: 2, class: 'bar' }));
    if (p90_s === undefined) return;
    picture.append(draw('path', { d: `M${middle} ${y(median_s)}V${y(p90_s)}M${middle - wide / 2} ${y(p90_s)}h${wide}`, class: 'reach' }));
  });
  return picture;
}

/** Round times above the longest one: marks that a person reads at a glance. */
function scaleFor(most) {
  const steps = [MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY];
  const step = steps.find((each) => most / each <= 4) ?? 7 * DAY;
  const count = Math.max(1, Math.ceil(most / step));
  return { top: step * count, marks: Array.from({ length: count + 1 }, (_, index) => index * step) };
}

function label(x, y, text, anchor) {
  const made = draw('text', { x, y, 'text-anchor': anchor });
  made.textContent = text;
  return made;
}

function draw(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
