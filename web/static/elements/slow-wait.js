// @ts-check
import { words } from '../parts/words.js';
import { h, write } from './dom.js';

const SECOND = 1000;
const LOOKED_BACK = 200;

/** In a slow room: that it is slow, and how long until one's next message goes out. Read out once, not by the second. */
export class SlowWait {
  #timer = 0;
  #room = null;

  constructor(id) {
    this.element = h('p', { class: 'slow', id, hidden: true });
  }

  /** `room` as it stands; `closed` when nothing can be written anyway. */
  show(room, closed) {
    clearTimeout(this.#timer);
    this.#room = room;
    const slow = closed ? 0 : room.mode.slow ?? 0;
    this.element.hidden = !slow;
    if (!slow) return;
    const left = Math.ceil(this.#left(slow) / SECOND);
    write(this.element, left ? words.t('compose.slow_wait', { wait: clock(left) }) : words.count('compose.slow', slow));
    if (left) this.#timer = setTimeout(() => this.#room === room && this.show(room, closed), SECOND);
  }

  // A clock that goes wrong here never says more than the room's own pace: the server decides.
  #left(slow) {
    const { timeline } = this.#room;
    const mine = timeline.latest(LOOKED_BACK).findLast((entry) => entry.kind === 'say' && this.#room.isMine(entry));
    const passed = mine ? Date.now() - Date.parse(mine.at) : Infinity;
    return Math.min(slow * SECOND, Math.max(0, slow * SECOND - passed));
  }
}

/** Seconds as a wait is said: "42 s", "1 min 05 s". */
export function clock(seconds) {
  const rest = seconds % 60;
  if (seconds < 60) return words.t('time.seconds', { n: seconds });
  return words.t('time.minutes_seconds', { m: Math.floor(seconds / 60), s: String(rest).padStart(2, '0') });
}
