// @ts-check
import { words } from '../parts/words.js';
import { h, icon, write } from './dom.js';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEP_MS = 20_000;
/** Fewer cases in this hour of the day say less than all of them. */
const ENOUGH_CASES = 3;
const STEPS = ['waiting', 'opinions', 'revealed', 'decided', 'outcome'];

/** How long something lasts: "35 min", "2 hr, 10 min", "3 days". */
export function lasting(seconds) {
  if (seconds < 45) return words.t('case.lasting.moment');
  const minutes = Math.max(1, Math.round(seconds / MINUTE));
  if (minutes < 60) return unit(minutes, 'minute');
  const hours = Math.floor(minutes / 60);
  if (hours < 6 && minutes % 60) return `${unit(hours, 'hour')} ${unit(minutes % 60, 'minute')}`;
  if (minutes < 36 * 60) return unit(Math.round(minutes / 60), 'hour');
  return unit(Math.round((minutes * MINUTE) / DAY), 'day');
}

/** How soon, as a mark with words: *now* in the one warm colour. */
export function urgencyMark(urgency) {
  const warm = urgency === 'now' ? icon('wait') : null;
  return h('span', { class: `urgency ${urgency}` }, warm, words.t(`case.urgency.${urgency}`));
}

export function asked(specialties) {
  return words.t('case.asks', { who: specialties.map((slug) => words.specialty(slug)).join(', ') });
}

/** How far a case is, as a line of five steps: waiting · opinions · unsealed · decided · outcome. */
export function stepLine() {
  const steps = STEPS.map((step) => h('li', {}, h('span', { class: 'step-name' }, words.t(`case.step.${step}`))));
  return h('ol', { class: 'case-steps' }, ...steps);
}

/** Writes where a case stands into its line. `state` is {phase, opinions}. */
export function standAt(line, { phase, opinions }) {
  const at = phase === 'open' ? (opinions ? 1 : 0) : STEPS.indexOf(phase);
  line.setAttribute('aria-label', words.t('case.steps', { n: at + 1, step: words.t(`case.step.${STEPS[at]}`) }));
  [...line.children].forEach((step, index) => {
    step.className = index < at ? 'done' : index === at ? 'at' : 'ahead';
    if (index === at) step.setAttribute('aria-current', 'step');
    else step.removeAttribute('aria-current');
  });
}

/** What is known of its opinions: "4 opinions in, sealed; closes in 12 min". Kept true while it is on the page. */
export function stateLine() {
  return h('p', { class: 'case-state' });
}

export function tellState(line, { state, closes }) {
  line.closes = closes;
  line.state = state;
  write(line, stateWords(state, closes));
}

function stateWords({ phase, opinions, withdrawn }, closes) {
  const gone = withdrawn ? words.count('case.withdrawn', withdrawn) : '';
  const standing = phase === 'open' ? sealed(opinions, closes) : opened(opinions);
  return [standing, gone].filter(Boolean).join('. ');
}

function sealed(opinions, closes) {
  const due = closesIn(closes);
  if (!opinions) return words.t('case.none_yet', { closes: due });
  return words.t(opinions === 1 ? 'case.sealed_one' : 'case.sealed', { opinions: words.count('case.opinions', opinions), closes: due });
}

function opened(opinions) {
  return opinions ? words.count('case.opened', opinions) : words.t('case.opened.none');
}

export function closesIn(at, now = Date.now()) {
  const seconds = (Date.parse(at) - now) / 1000;
  return seconds > 0 ? words.t('case.closes_in', { lasting: lasting(seconds) }) : words.t('case.closes_due');
}

/** "Waiting for 12 min", or what else `key` says of that time; kept true while it is on the page. */
export function waitingFor(since, key = 'case.waiting') {
  const line = h('span', { class: 'waiting-for' });
  line.tell = () => write(line, words.t(key, { lasting: lasting((Date.now() - Date.parse(since)) / 1000) }));
  line.tell();
  return line;
}

setInterval(() => {
  for (const line of document.querySelectorAll('.case-state')) if (line.state) write(line, stateWords(line.state, line.closes));
  for (const line of document.querySelectorAll('.waiting-for')) line.tell();
}, STEP_MS);

/** How soon a first opinion comes, in a sentence. `usual` as of GET /api/consults. */
export function usualWords(usual) {
  const hour = usual?.this_hour;
  const told = hour?.n >= ENOUGH_CASES ? hour : usual;
  if (told?.median_s === undefined) return words.t('case.usual_none');
  const values = { median: lasting(told.median_s), p90: lasting(told.p90_s), n: words.count('case.cases', told.n) };
  return words.t(told === hour ? 'case.usual_hour' : 'case.usual', values);
}

const UNITS = {};
function unit(n, name) {
  UNITS[name] ??= new Intl.NumberFormat(words.lang, { style: 'unit', unit: name, unitDisplay: name === 'day' ? 'long' : 'short' });
  return UNITS[name].format(n);
}
