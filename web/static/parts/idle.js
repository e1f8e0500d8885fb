// @ts-check
/**
 * Tells whether somebody is still at a shared computer. `acted()` is called at every touch of it;
 * `tell` then says so to the server, not more often than every `toldMs`; `lock` when nobody did for `limitMs`.
 */
export class Idle {
  #timer = 0;
  #told = -Infinity;

  constructor({ limitMs, toldMs, tell, lock, now = () => Date.now() }) {
    Object.assign(this, { limitMs, toldMs, tell, lock, now });
    this.last = now();
    this.#wait();
  }

  acted() {
    if (this.isOver()) return this.check(); // the timer of a sleeping machine comes late
    this.last = this.now();
    if (this.last - this.#told < this.toldMs) return;
    this.#told = this.last;
    this.tell();
  }

  isOver() {
    return this.now() - this.last >= this.limitMs;
  }

  check() {
    if (!this.#timer) return;
    if (!this.isOver()) return this.#wait();
    this.stop();
    this.lock();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.check(), this.limitMs - (this.now() - this.last));
  }
}
