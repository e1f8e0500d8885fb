// @ts-check
import { Refusal, refusalOf } from './wire.js';

/** The HTTP doors. Every method gives the answer's JSON, or throws a Refusal (`lost`: no answer). */
export class Api {
  #fetch;

  constructor(send = (...request) => fetch(...request)) {
    this.#fetch = send;
  }

  get(path) {
    return this.#call('GET', path);
  }

  /** The answer as it stands, where it is plain text. */
  text(path) {
    return this.#call('GET', path, undefined, (answer) => answer.text());
  }

  post(path, body = {}) {
    return this.#call('POST', path, body);
  }

  put(path, body) {
    return this.#call('PUT', path, body);
  }

  patch(path, body) {
    return this.#call('PATCH', path, body);
  }

  delete(path) {
    return this.#call('DELETE', path);
  }

  async #call(method, path, body, read = (answer) => answer.json().catch(() => ({}))) {
    const headers = body ? { 'Content-Type': 'application/json' } : {};
    const answer = await this.#send(path, { method, headers, body: body && JSON.stringify(body) });
    if (answer.status === 204) return {};
    if (answer.ok) return read(answer);
    const told = await answer.json().catch(() => ({}));
    const code = answer.status === 401 ? 'signed_out' : told.error?.code;
    const retry_after = Number(answer.headers.get('Retry-After')) || undefined;
    throw refusalOf({ retry_after, ...told.error, code });
  }

  async #send(path, request) {
    try {
      return await this.#fetch(path, { cache: 'no-store', ...request });
    } catch {
      throw new Refusal('lost');
    }
  }
}
