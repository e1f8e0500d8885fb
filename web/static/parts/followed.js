// @ts-check
/** What came does not go on from where a room stood: whoever follows it must join it anew. */
export class Torn extends Error {}

/**
 * The rooms that a line follows which has to be opened again and again: how each was joined, where it
 * stands, and what its follower was told already. It asks from there and is told nothing twice.
 */
export class Followed {
  #rooms = new Map();

  /** Whether a join has not been answered yet, or not gone live. */
  get pending() {
    return [...this.#rooms.values()].some((room) => !room.live);
  }

  /** Takes in a join or leave before the line is opened anew. @returns answers that it need not wait for */
  heed({ op, ref, room, since, last }) {
    const before = this.#rooms.get(room);
    const overtaken = before && !before.answered ? [{ op: 'error', ref: before.ref, code: 'not_joined' }] : [];
    this.#rooms.delete(room);
    if (op === 'leave') return [...overtaken, { op: 'ok', ref }];
    this.#rooms.set(room, { id: room, ref, since, last, answered: false, live: false, resumed: false });
    return overtaken;
  }

  /** The joins to open the line with, each from where its room stands now. */
  joins() {
    return [...this.#rooms.values()].map((room) => {
      room.resumed = room.answered;
      const { id, ref, since, last } = room;
      return { op: 'join', ref, room: id, ...(since !== undefined && { since }), ...(last && { last }) };
    });
  }

  /** What of a frame is news to the follower: a frame, or null. Throws Torn. */
  take(frame) {
    if (frame.op === 'rooms') return this.#elsewhere(frame.rooms);
    if (frame.op === 'ok' || frame.op === 'error') return this.#answered(frame);
    if (frame.room === undefined) return frame;
    const room = this.#rooms.get(frame.room);
    if (!room) return null;
    if (frame.op === 'event') Object.assign(room, { since: frame.seq, last: frame.id });
    if (frame.op === 'presence') return present(room, frame.present);
    if (frame.op === 'reset' && room.resumed) throw new Torn();
    if (frame.op !== 'live') return frame;
    const news = room.live ? null : frame;
    room.live = true;
    return news;
  }

  #elsewhere(rooms) {
    const others = rooms.filter(({ id }) => !this.#rooms.has(id));
    return others.length ? { op: 'rooms', rooms: others } : null;
  }

  #answered(frame) {
    const room = [...this.#rooms.values()].find(({ ref }) => ref === frame.ref);
    if (!room) return frame;
    if (room.resumed) return resumed(room, frame);
    if (frame.op === 'error') this.#rooms.delete(room.id);
    else join(room, frame);
    return frame;
  }
}

function join(room, ok) {
  room.answered = true;
  room.present = JSON.stringify(ok.present);
  // Without entries to come, the id that the follower named still belongs to where it stands.
  if (room.since !== ok.from - 1) Object.assign(room, { since: ok.from - 1, last: undefined });
}

function resumed(room, answer) {
  if (answer.op === 'error' || answer.from !== room.since + 1) throw new Torn();
  return present(room, answer.present);
}

function present(room, news) {
  if (room.present === JSON.stringify(news)) return null;
  room.present = JSON.stringify(news);
  return { op: 'presence', room: room.id, present: news };
}
