// @ts-check
/** Subprotocol of the text frames that a browser speaks. */
export const SUBPROTOCOL = 'lounge.v1.json';

/** Why a command, or a request over HTTP, was not done. `lost`: nobody knows, the link broke. */
export class Refusal extends Error {
  constructor(code, message = '', { retryAfter, spans, asks, field } = {}) {
    super(message || code);
    this.code = code;
    this.words = message;
    this.retryAfter = retryAfter;
    this.spans = spans;
    /** Ways by which she may show who she is, where that is what is wanted. */
    this.asks = asks;
    /** Which of several texts, where one of them is why. */
    this.field = field;
  }
}

export function encode(frame) {
  return JSON.stringify(frame);
}

/** @returns the frame, or null for what this protocol does not know */
export function decode(data) {
  try {
    const frame = JSON.parse(data);
    return frame && typeof frame.op === 'string' ? frame : null;
  } catch {
    return null;
  }
}

export function refusalOf({ code = 'internal', message = '', retry_after, spans, asks, field }) {
  return new Refusal(code, message, { retryAfter: retry_after, spans, asks, field });
}

/** A client id: random, because it must never be guessed nor met twice. */
export function newCid() {
  // randomUUID exists in secure contexts only; a lounge tried out on a plain LAN address has none.
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
