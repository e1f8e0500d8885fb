// @ts-check
const PAUSE_MS = 100;
const MOST_MS = 150;
const AGAIN_MS = 2000;
const PART = 500;

/**
 * What the guard says of a text while it is written: asked after a short pause, and while the writing goes on from
 * time to time; one question at a time. `ask(text)` promises {spans, names_checked}; `told(verdict, text)` hears it.
 */
export class Examining {
  #ask;
  #told;
  #text = '';
  #known = '';
  #since = 0;
  #timer = 0;
  #asking = false;

  constructor({ ask, told }) {
    this.#ask = ask;
    this.#told = told;
  }

  /** The text reads so now. */
  typed(text) {
    this.#text = text;
    clearTimeout(this.#timer);
    if (!text.trim()) return this.#rest('');
    this.#since ||= Date.now();
    const parts = Math.ceil(text.length / PART); // the server counts each
    const left = this.#since + MOST_MS * parts - Date.now();
    this.#timer = setTimeout(() => this.#look(), Math.max(0, Math.min(PAUSE_MS * parts, left)));
    return undefined;
  }

  /** The verdict on this text is known from elsewhere. */
  knows(text) {
    clearTimeout(this.#timer);
    this.#text = text;
    this.#rest(text);
  }

  async #look() {
    if (this.#asking || this.#text === this.#known) return;
    const text = this.#text;
    this.#asking = true;
    this.#since = 0;
    const verdict = await this.#ask(text).catch((refusal) => this.#later(refusal));
    this.#asking = false;
    if (verdict && text === this.#text) this.#rest(text, verdict);
    else if (verdict) this.typed(this.#text);
  }

  #rest(text, verdict) {
    this.#known = text;
    this.#since = 0;
    if (verdict) this.#told(verdict, text);
  }

  // A line that is down, or a question too many: the server looks at every text when it is sent, whatever was said here.
  #later({ retryAfter }) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), retryAfter ? retryAfter * 1000 : AGAIN_MS);
  }
}
