// @ts-check
import { Outbox } from './outbox.js';
import { Room } from './room.js';
import { isUnlisted } from './talk.js';
import { Rooms } from './rooms.js';
import { Signal } from './signal.js';
import { Refusal, newCid } from './wire.js';

const KEPT_ROOMS = 6;
const WAITS = new Set(['rate_limited', 'slow_mode', 'busy']);
const WAIT_SECONDS = 2;
const ALWAYS = { waiting: () => true, mine: () => true };

/** What the doctor's browser knows and does, without a page: the line, the rooms, the unsent. */
export class Lounge {
  rooms = new Rooms();
  /** Live events of rooms followed here: {room, event}. */
  heard = new Signal();
  #visits = new Map();
  #held = new Map();
  #mine;
  #filled = false;
  /** Another pace, or none: what waits for it may go. */
  #paced = new Signal();

  /** `mine` remembers, on this device, which reactions are one's own: the wire does not say. */
  constructor({ socket, api, unsent, mine }) {
    this.socket = socket;
    this.api = api;
    this.#mine = mine;
    this.outbox = new Outbox({ shelf: unsent, deliver: (item, hooks) => this.#say(item, hooks) });
    socket.states.on((state) => this.#linked(state));
    socket.frames.on((frame) => this.#receive(frame));
  }

  start() {
    this.socket.start();
    this.outbox.restore();
  }

  async refresh() {
    const { rooms } = await this.api.get('/api/rooms');
    this.rooms.fill(rooms);
    this.#filled = true;
  }

  /** The room, whether or not it is followed. */
  visit(id) {
    const room = this.#visits.get(id) ?? this.#meet(id);
    this.#visits.delete(id);
    this.#visits.set(id, room);
    this.#forget();
    return room;
  }

  /** Follows a room until the returned function is called. */
  follow(id) {
    const room = this.visit(id);
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    if (this.#held.get(id) === 1 && this.socket.state.name === 'open') room.join();
    let ended = false;
    return () => {
      if (!ended) this.#unfollow(id);
      ended = true;
    };
  }

  /** Marks the room as read up to `seq`. What is lost here is said again by the next one. */
  read(id, seq) {
    this.rooms.set(id, { unread: 0 });
    this.socket.request('read', { room: id, seq }).catch(() => {});
    this.#visits.get(id)?.talk?.saw(seq);
  }

  /** Any other command that changes something in a room, repeated until it is answered. */
  act(op, room, fields = {}) {
    return this.#act(op, { ...fields, room });
  }

  /** A command for which no room is followed, repeated until it is answered: its cid makes that harmless. `patient`: waits when told to. */
  order(op, given, patient = false) {
    return this.#insist(op, given, { ...ALWAYS, waiting: () => patient }, '');
  }

  redact(room, seq, reason) {
    return this.#act('redact', { room, seq, ...(reason && { reason }) });
  }

  /** What others would see of a face here, as asked of the server: {by, crowd}. */
  preview(room, as, exact) {
    return this.#insist('preview', { room, as, exact }, ALWAYS);
  }

  /** Speaks with a face in a room until another is chosen. */
  async face(room, as, exact) {
    this.visit(room).wear(await this.#insist('face', { room, as, exact }, ALWAYS));
  }

  /** Gives up one's made-up name here for good, and takes another. */
  async retire(room) {
    const { face, exact } = this.visit(room);
    this.visit(room).wear({ face: face.as, exact, ...(await this.#act('retire', { room })) });
  }

  async ignore(room, persona, on) {
    this.visit(room).ignore((await this.#insist('ignore', { room, persona, on }, ALWAYS)).ignored);
  }

  /** Offers one's real name to whoever said `seq`. */
  reveal(room, seq) {
    return this.#act('reveal', { room, seq });
  }

  /** Asks whoever said `seq` to talk privately. @returns {Promise<{talk: string}>} the talk that may be */
  askToTalk(room, seq) {
    return this.#act('talk', { room, seq });
  }

  async answerTalk(talk, accept) {
    await this.socket.request('talk_answer', { talk, accept, cid: newCid() });
    if (accept) await this.refresh();
  }

  endTalk(room) {
    return this.#act('talk_end', { room });
  }

  /** Turns one's own switch for "seen" and "writing", for all talks. */
  async signals(on) {
    await this.socket.request('signals', { on });
    for (const { talk } of this.#visits.values()) talk?.turned(on);
  }

  reacted(room, seq) {
    return this.#mine.get(this.#key(room), {})[seq] ?? [];
  }

  /** Sets or takes back one's own reaction, whichever is not the case. */
  async react(room, seq, emoji) {
    const on = !this.reacted(room, seq).includes(emoji);
    await this.#act('react', { room, seq, emoji, on });
    const all = this.#mine.get(this.#key(room), {});
    const others = (all[seq] ?? []).filter((one) => one !== emoji);
    this.#mine.set(this.#key(room), { ...all, [seq]: on ? [...others, emoji] : others });
  }

  async pin(room, pinned) {
    await this.api.put(`/api/rooms/${room}/pin`, { pinned });
    this.rooms.set(room, { pinned, own: pinned });
    await this.refresh();
  }

  // Kept under the face, not the room: another doctor on the same device has another face.
  #key(room) {
    const face = this.visit(room).you[0]?.id;
    return this.visit(room).talk ? `${room}.${face}` : face ?? room;
  }

  #meet(id) {
    const room = new Room(id, (op, fields) => this.socket.request(op, fields));
    room.changed.on((change) => this.#changed(room, change));
    return room;
  }

  #forget() {
    for (const id of this.#visits.keys()) {
      if (this.#visits.size <= KEPT_ROOMS) return;
      if (!this.#held.has(id)) this.#visits.delete(id);
    }
  }

  #unfollow(id) {
    const left = this.#held.get(id) - 1;
    if (left) return this.#held.set(id, left);
    this.#held.delete(id);
    if (this.socket.state.name === 'open') this.socket.request('leave', { room: id }).catch(() => {});
    this.#visits.get(id)?.part();
  }

  #linked({ name }) {
    if (name === 'open') {
      this.rooms.update((this.socket.welcome.rooms ?? []).map((room) => ({ ...room, own: true })));
      for (const id of this.#held.keys()) this.visit(id).join();
      if (!this.#filled) this.refresh().catch(() => {});
    } else if (name !== 'connecting') {
      for (const id of this.#held.keys()) this.visit(id).part();
    }
  }

  #receive(frame) {
    if (frame.op === 'rooms') {
      // A notice may tell of a room that was not there before: a talk.
      const told = frame.rooms.some(({ id, head }) => id === 'me' && head > (this.rooms.get('me')?.head ?? 0));
      if (!this.rooms.update(frame.rooms) || told) this.refresh().catch(() => {});
    }
    if (frame.op === 'presence') this.rooms.set(frame.room, { present: frame.present });
    if (this.#held.has(frame.room)) this.#visits.get(frame.room)?.receive(frame);
  }

  #changed(room, { what, events = [], live }) {
    if (what === 'state' && room.joined && isUnlisted(room.id) && !this.rooms.get(room.id)) this.refresh().catch(() => {});
    if (what === 'state' && room.joined) this.rooms.set(room.id, { own: true, present: room.present });
    if (what === 'mode') this.#paced.emit();
    if (what !== 'entries') return;
    if (live) this.rooms.set(room.id, { head: room.head });
    this.outbox.settle(room.id, (seq) => room.timeline.get(seq));
    if (live) for (const event of events) this.heard.emit({ room, event });
  }

  async #say(item, { waiting }) {
    const { cid, room, text, replyTo, as, sort, notPatient } = item;
    const mine = () => this.visit(room).you.some((face) => face.id === item.you);
    const fields = { room, cid, text, ...(replyTo && { reply_to: replyTo }), ...(as && { as }), ...(sort && { sort }), ...(notPatient && { not_patient: true }) };
    const ok = await this.#insist('say', fields, { waiting, mine });
    this.outbox.changed.emit(room);
    queueMicrotask(() => this.outbox.settle(room, (seq) => this.visit(room).timeline.get(seq)));
    return ok;
  }

  #act(op, fields) {
    return this.#insist(op, { ...fields, cid: newCid() }, ALWAYS);
  }

  /** Sends until there is an answer. The cid makes the repetition harmless. */
  async #insist(op, fields, { waiting, mine }, room = fields.room) {
    const leave = room ? this.follow(room) : () => {};
    try {
      for (;;) {
        await (room ? this.visit(room).ready() : this.#linkedUp());
        if (!mine()) throw new Refusal('other_face');
        const answer = await this.socket.request(op, fields).catch((refusal) => refusal);
        if (!(answer instanceof Refusal)) return answer;
        if (!(await this.#mayRepeat(answer, waiting))) throw answer;
      }
    } finally {
      leave();
    }
  }

  /** For what is done in no room: when the line is up. */
  #linkedUp() {
    if (this.socket.state.name === 'open') return undefined;
    return new Promise((resolve) => {
      const end = this.socket.states.on(({ name }) => {
        if (name !== 'open') return;
        end();
        resolve();
      });
    });
  }

  async #mayRepeat(refusal, waiting) {
    if (refusal.code === 'lost') return true;
    if (!WAITS.has(refusal.code)) return false;
    const delay = (refusal.retryAfter ?? WAIT_SECONDS) * 1000;
    if (!waiting(refusal, Date.now() + delay)) return false;
    await new Promise((resolve) => {
      const end = refusal.code === 'slow_mode' && this.#paced.on(resolve);
      setTimeout(() => (end && end(), resolve()), delay);
    });
    return waiting(null, 0);
  }
}
