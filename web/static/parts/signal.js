// @ts-check
/** Something that happens: listeners are called in the order in which they came. */
export class Signal {
  #listeners = new Set();

  /** @returns {() => void} ends the listening */
  on(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(value) {
    for (const listener of [...this.#listeners]) listener(value);
  }
}
