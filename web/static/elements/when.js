// @ts-check
import { words } from '../parts/words.js';
import { h, write } from './dom.js';

const STEP_MS = 20_000;

/** A moment in relative words, its exact time as a tooltip; kept true while it is on the page. */
export function when(at) {
  return h('time', { datetime: at, title: words.exact(at) }, words.time(at));
}

setInterval(() => {
  const now = Date.now();
  for (const time of document.querySelectorAll('time[title]')) {
    write(time, words.time(time.dateTime, now));
  }
}, STEP_MS);
