// @ts-check
/** Small values kept by the browser under one prefix. A browser that keeps nothing is no error. */
export class Shelf {
  #storage;
  #prefix;

  constructor(storage, prefix) {
    this.#storage = storage;
    this.#prefix = prefix;
  }

  get(key, otherwise = null) {
    try {
      return JSON.parse(this.#storage.getItem(this.#prefix + key)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  set(key, value) {
    try {
      this.#storage.setItem(this.#prefix + key, JSON.stringify(value));
    } catch (problem) {
      console.warn('lounge: this browser keeps nothing', problem);
    }
  }

  remove(key) {
    this.#storage?.removeItem(this.#prefix + key);
  }

  clear() {
    for (const key of Object.keys(this.#storage ?? {})) {
      if (key.startsWith(this.#prefix)) this.#storage.removeItem(key);
    }
  }
}
