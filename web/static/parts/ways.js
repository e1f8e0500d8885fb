// @ts-check
import { SUBPROTOCOL } from './wire.js';

const WAYS = ['socket', 'stream', 'polls'];
const FAILURES = 2;

/**
 * The ways to the server, the best first: a WebSocket; where a network blocks those, one answer that
 * does not end; where it holds that back, many short ones. What works is remembered for this tab.
 */
export class Ways {
  #shelf;
  #failures = 0;

  constructor(shelf) {
    this.#shelf = shelf;
    const kept = shelf.get('way');
    this.now = WAYS.includes(kept) ? kept : WAYS[0];
  }

  get better() {
    return WAYS.slice(0, WAYS.indexOf(this.now));
  }

  worked(way) {
    this.now = way;
    this.#failures = 0;
    if (this.#shelf.get('way', WAYS[0]) !== way) this.#shelf.set('way', way);
  }

  /** No welcome on this way, though the server is there. `silent`: not even a byte in time. */
  failed(way, silent) {
    if (way !== this.now) return;
    this.#failures += silent && way === 'stream' ? FAILURES : 1;
    if (this.#failures < FAILURES) return;
    this.#failures = 0;
    this.now = WAYS[(WAYS.indexOf(way) + 1) % WAYS.length];
  }
}

/** A line by this way, in the shape of a WebSocket. */
export async function lineBy(way, url) {
  if (way === 'socket') return new WebSocket(url, SUBPROTOCOL);
  const { Stream } = await import('./stream.js');
  return new Stream({ polls: way === 'polls' });
}
