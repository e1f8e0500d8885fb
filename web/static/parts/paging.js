// @ts-check
import { Signal } from './signal.js';
import { newCid } from './wire.js';

const DAY_MS = 24 * 3_600_000;
const OWN = 'pages';
const DECLINED = 'declined';
/** Phases in which somebody may still accept. */
const PENDING = new Set(['waiting', 'sent', 'delivered', 'seen']);

/** Whether nobody has accepted a page, and somebody still may. @param {{phase: string}} state */
export function isPending({ phase }) {
  return PENDING.has(phase);
}

/**
 * The pages that concern this doctor wherever she is: those put to her, which her own log tells of, and her own.
 * One for the whole page. `changed` tells {what, page, live}: alert · again · taken · over · formal · unanswered · own.
 */
class Paging {
  changed = new Signal();
  /**
   * Put to her and not answered by her, by room: the notice as it came, and, once somebody else was first, `over`; or
   * `taken`, where she must acknowledge that.
   */
  alerts = new Map();
  /** Her own that are followed, by room: its `page.open` as it stands. */
  own = new Map();
  /** Who the other one is where names were exchanged, by room: {name, service, number}. */
  formal = new Map();
  /** Rooms of her own questions that were put to nobody when she asked. */
  lonely = new Set();
  #lounge;
  #kept;
  #ends = new Map();
  #log;
  #begin = () => {};
  #begun = new Promise((go) => (this.#begin = go));
  #phases = new Map();
  /** Rooms in which another is, and all must acknowledge. */
  #shared = new Set();

  /** Follows her own log from now on. `kept` is a Shelf: what she declined, and the pages she sent; `reads()`: the log is in sight. */
  start({ lounge, kept, reads }) {
    // Whoever came in before her on this page is gone.
    Object.assign(this, { alerts: new Map(), own: new Map(), formal: new Map(), lonely: new Set() });
    [this.#ends, this.#phases] = [new Map(), new Map()];
    [this.#lounge, this.#kept] = [lounge, kept];
    this.#log = lounge.visit('me');
    this.#begin();
    for (const notice of this.#log.timeline.between(1, Infinity)) this.#take(notice, false);
    this.#log.changed.on(({ what, events = [], live }) => {
      if (what !== 'entries') return;
      for (const event of events) this.#take(event, live);
      if (live) this.#count(events, reads());
    });
    lounge.follow('me');
    // Accepted by herself on another device, or before this page was loaded.
    lounge.rooms.changed.on(() => [...this.alerts.keys()].forEach((room) => lounge.rooms.get(room) && this.dismiss(room)));
    for (const room of kept.get(OWN, [])) this.watch(room);
  }

  /** Sends a page or asks now: `op` is page or ask_now. @returns {Promise<{room: string, reached?: boolean}>} */
  async send(op, given) {
    const sent = await this.#lounge.order(op, given);
    if (sent.reached === false) this.lonely.add(sent.room);
    this.watch(sent.room);
    return sent;
  }

  /** Accepts, acknowledges or declines; the alert is gone with the answer. @returns {Promise<boolean>} she is one of the two */
  async answer(room, { accept, formal, reason }) {
    await this.#lounge.order('page_answer', { room, accept, cid: newCid(), ...(formal && { formal }), ...(reason && { reason }) });
    if (!accept) this.#kept.set(DECLINED, [...this.#kept.get(DECLINED, []), room].slice(-50));
    this.dismiss(room);
    if (!accept) return false;
    await this.#lounge.refresh().catch(() => {});
    return !this.#shared.has(room);
  }

  /** Tells the sender that it has reached a device, or was seen. What is lost here is of no weight. */
  mark(room, mark) {
    this.#lounge.socket.request('page_mark', { room, mark }).catch(() => {});
  }

  /** Looks in her own log, further back than it was followed, for who the other one of a formal page is. */
  async recall(about) {
    await this.#begun; // a room may be drawn first
    const log = this.#log;
    if (log.state !== 'live') await new Promise((go) => { const end = log.changed.on(() => log.state === 'live' && (end(), go())); });
    for (let known = Infinity; !this.formal.has(about); ) {
      const [first] = log.timeline.between(1, Infinity);
      if (!first || first.seq >= known || !(await log.older(first.seq))) return;
      known = first.seq;
      for (const notice of log.timeline.between(1, known - 1)) if (notice.notice === 'page_formal') this.#take(notice, false);
    }
  }

  dismiss(room) {
    if (this.alerts.delete(room)) this.#tell('gone', { about: room });
  }

  /** Follows a page of her own until it is over, also after a reload. */
  watch(room) {
    if (this.#ends.has(room)) return;
    const visit = this.#lounge.visit(room);
    const ends = [visit.changed.on(() => this.#followed(room, visit)), this.#lounge.follow(room)];
    this.#ends.set(room, () => ends.forEach((end) => end()));
    this.#kept.set(OWN, [...this.#ends.keys()]);
  }

  /** She has seen how it ended. */
  forget(room) {
    this.#ends.get(room)?.();
    this.#ends.delete(room);
    this.own.delete(room);
    this.#kept.set(OWN, [...this.#ends.keys()]);
    this.#tell('gone', { about: room });
  }

  #take(notice, live) {
    const { notice: kind, about } = notice;
    if (kind === 'page') this.#alert(notice, live);
    if (kind === 'page_taken') this.#taken(notice, live);
    if (kind === 'page_over') this.#over(notice, live);
    if (kind === 'page_formal') this.formal.set(about, notice);
    if (kind === 'page_formal' || kind === 'page_unanswered') this.#tell(kind.slice(5), notice, live);
  }

  /** Of a log that is followed the server tells no count, and a notice may tell of a room that was not there before. */
  #count(events, isRead) {
    const { rooms } = this.#lounge;
    if (!isRead) rooms.set('me', { unread: (rooms.get('me')?.unread ?? 0) + events.length });
    if (events.some(({ notice }) => !notice?.startsWith('page'))) this.#lounge.refresh().catch(() => {});
  }

  #alert(notice, live) {
    const { about, at } = notice;
    if (Date.now() - Date.parse(at) > DAY_MS || this.#lounge.rooms.get(about) || this.#kept.get(DECLINED, []).includes(about)) return;
    const again = this.alerts.has(about);
    const taken = this.alerts.get(about)?.taken ?? (notice.phase === 'accepted' && { phase: notice.phase });
    this.alerts.set(about, taken ? { ...notice, taken } : notice);
    this.mark(about, 'delivered');
    this.#tell(again ? 'again' : 'alert', notice, live);
  }

  /** Somebody else was first, and she must say that she knows of it. */
  #taken(notice, live) {
    this.#shared.add(notice.about);
    const known = this.alerts.get(notice.about);
    if (!known) return;
    this.alerts.set(notice.about, { ...known, taken: notice });
    this.#tell('taken', notice, live);
  }

  #over(notice, live) {
    const { about } = notice;
    const known = this.alerts.get(about);
    if (!known) return;
    // What was over before the page was opened was never shown; what she answered elsewhere she knows.
    if (notice.own) return this.dismiss(about);
    if (live) this.alerts.set(about, { ...known, over: notice });
    else this.alerts.delete(about);
    this.#tell('over', notice, live);
  }

  #followed(room, visit) {
    if (visit.state === 'refused') return this.forget(room);
    const page = visit.timeline.get(1);
    if (!page || page.kind !== 'page.open') return;
    const { phase } = page.state;
    const before = this.#phases.get(room);
    this.own.set(room, page);
    if (before === phase) return this.#tell('own', { about: room });
    this.#phases.set(room, phase);
    this.#tell(before ? 'phase' : 'own', { about: room, page, before }, visit.state === 'live');
    // An accepted one is followed no longer than the other can be read of in its room.
    if (['closed', 'withdrawn'].includes(phase)) this.forget(room);
  }

  #tell(what, page, live = false) {
    this.changed.emit({ what, page, live });
  }
}

export const paging = new Paging();
