// @ts-check
import { Signal } from './signal.js';

const AGAIN_MS = 1500;
const HOUR = 60;

/**
 * The rooms as moderators watch them. On a socket the server tells each second what has changed; on another way, or
 * while it refuses that, all are asked for. `state`: 'live', 'asking' or 'away', with the `refusal` that is why.
 */
export class Watch {
  rooms = new Map();
  changed = new Signal();
  state = 'away';
  refusal = null;
  #socket;
  #api;
  #ends = [];
  #timer = 0;
  #turn = 0;

  constructor({ socket, api }) {
    this.#socket = socket;
    this.#api = api;
  }

  start() {
    if (this.#ends.length) return;
    this.#ends = [this.#socket.states.on(() => this.#linked()), this.#socket.frames.on((frame) => frame.op === 'board' && this.#told(frame))];
    this.#linked();
  }

  stop() {
    if (!this.#ends.length) return;
    for (const end of this.#ends.splice(0)) end();
    this.#enter('away');
    this.#socket.request('board', { on: false }).catch(() => {});
  }

  async #linked() {
    const { name, way } = this.#socket.state;
    const turn = this.#enter('away');
    if (name !== 'open') return;
    const answer = way === 'socket' && (await this.#socket.request('board', { on: true }).catch(() => null));
    if (turn !== this.#turn) return;
    if (!answer) return this.#ask();
    this.#fill(answer.rooms);
    this.#enter('live');
  }

  async #ask() {
    const turn = this.#turn;
    const answer = await this.#api.get('/api/board').catch((refusal) => ({ refusal }));
    if (turn !== this.#turn) return;
    if (answer.rooms) this.#fill(answer.rooms);
    this.#enter(answer.rooms ? 'asking' : 'away', answer.refusal);
    this.#timer = setTimeout(() => this.#ask(), AGAIN_MS);
  }

  #fill(rooms) {
    this.rooms = new Map(rooms.map((row) => [row.room, row]));
  }

  /** Of each room only what changed; `now` is the minute that still runs. */
  #told({ rooms, gone = [] }) {
    for (const { now, ...change } of rooms) {
      const row = { ...this.rooms.get(change.room), ...change };
      this.rooms.set(row.room, now === undefined ? row : { ...row, says: withNow(row.says, now) });
    }
    for (const room of gone) this.rooms.delete(room);
    this.changed.emit();
  }

  #enter(state, refusal = null) {
    clearTimeout(this.#timer);
    this.state = state;
    this.refusal = refusal;
    this.changed.emit();
    return ++this.#turn;
  }
}

function withNow(says, now) {
  const hour = says?.length ? [...says] : new Array(HOUR).fill(0);
  hour[hour.length - 1] = now;
  return hour;
}
