// @ts-check
import { addressOf } from './parts/router.js';
import { words } from './parts/words.js';
import { later } from './elements/later.js';
import { authorOf } from './elements/message-row.js';

/** What the doctor does inside, beyond reading and saying; fetched after the first room is read. */
export class Acts {
  #inside;

  constructor(inside) {
    this.#inside = inside;
  }

  async edit({ seq, text }) {
    const { lounge, room, current } = this.#inside;
    try {
      await lounge.edit(current.id, seq, text);
      if (current === this.#inside.current) room.composer.done();
    } catch (refusal) {
      if (refusal.code !== 'held_privacy') throw refusal;
      const spans = refusal.spans ?? [];
      room.composer.judge(spans, spans, text, refusal.words);
    }
  }

  async react({ seq, emoji }) {
    const { lounge, room, current } = this.#inside;
    await lounge.react(current.id, seq, emoji);
    room.log.changed();
  }

  pin({ pinned }) {
    const { lounge, current } = this.#inside;
    return lounge.pin(current.id, pinned);
  }

  /** Asks about an entry before something is done with it; in the open room unless told. */
  ask({ act, entry, room = this.#inside.current?.id, done = () => {} }) {
    if (act === 'link') return this.#copy(room, entry);
    const { lounge, announcer, room: view } = this.#inside;
    const acts = {
      redact: () => lounge.redact(room, entry.seq),
      hide: ({ kind }) => lounge.redact(room, entry.seq, kind),
      report: ({ kind, note }) => lounge.report(room, entry.seq, kind, note),
    };
    const then = async (form) => {
      await acts[act](form);
      announcer.say(words.t(`${act}.done`));
      if (act === 'report') view.say(words.t('report.done'));
      done();
    };
    return this.dialog('askAbout', { what: act, entry, act: then });
  }

  unsent({ cid, what }) {
    const { lounge, current } = this.#inside;
    const item = lounge.outbox.of(current.id).find((one) => one.cid === cid);
    if (what === 'retry') lounge.outbox.retry(cid);
    else if (what === 'change') this.takeBack(item);
    else lounge.outbox.discard(cid);
  }

  /** What the guard held goes back to where it was written, marks and all. */
  takeBack({ cid, text, replyTo, error }) {
    const { lounge, room, current } = this.#inside;
    const quoted = replyTo && current.timeline.get(replyTo);
    if (quoted) room.composer.replyTo(quoted, authorOf(quoted));
    room.composer.hold({ text, spans: error.spans ?? [], why: error.words });
    lounge.outbox.discard(cid);
  }

  find({ q, room, cursor }) {
    const { socket, doors } = this.#inside;
    const ask = { q, ...(room && { room }), ...(cursor && { cursor }) };
    return socket.state.name === 'open' ? socket.request('search', ask) : doors.post('/api/search', ask);
  }

  async palette() {
    const { openPalette } = await later('palette');
    const { rooms } = this.#inside.lounge;
    openPalette({
      matching: (typed) => rooms.matching(typed),
      own: () => rooms.own(),
      go: (room) => this.#inside.go({ name: 'room', room }),
      search: (typed) => this.#inside.search({ typed }),
    });
  }

  async dialog(name, given) {
    const dialogs = await later('dialogs');
    dialogs[name](given);
  }

  async #copy(room, { seq }) {
    await navigator.clipboard.writeText(location.origin + addressOf({ name: 'room', room, seq }));
    this.#inside.announcer.say(words.t('action.copied'));
  }
}
