// @ts-check
import { fold } from './parts/points.js';
import { addressOf, placeOf } from './parts/router.js';
import { isConsult, isOfTwo, isUnlisted } from './parts/talk.js';
import { newCid } from './parts/wire.js';
import { words } from './parts/words.js';
import { h } from './elements/dom.js';
import { later } from './elements/later.js';
import { authorOf } from './elements/message-row.js';

/** What the doctor does inside, beyond reading and saying; fetched after the first room is read. */
export class Acts {
  #inside;
  /** Pages and quick questions, once the first room is read. */
  #calls = null;
  /** The rooms as moderators watch them. */
  #watch = null;

  constructor(inside) {
    this.#inside = inside;
    // Fields and rows ask wherever they stand, in a dialog too.
    const on = (name, act) => document.addEventListener(name, ({ detail }) => inside.frame.isConnected && act(detail));
    on('examine', (asked) => (asked.answer = inside.socket.request('examine', { text: asked.text })));
    on('appeal', (about) => this.appeal(about));
  }

  async edit({ seq, text, notPatient }) {
    const { lounge, room, current } = this.#inside;
    try {
      await lounge.act('edit', current.id, { seq, text, ...(notPatient && { not_patient: true }) });
      if (current === this.#inside.current) room.composer.done();
    } catch (refusal) {
      if (refusal.code !== 'held_privacy') throw refusal;
      room.composer.hold({ text, spans: refusal.spans ?? [], why: refusal.words });
    }
  }

  /** What somebody said or did in the room in sight is read out, once. */
  heard({ room, event }) {
    const { announcer, current, room: view, waiting } = this.#inside;
    const others = room === current && !room.isMine(event);
    if (!others || room.ignored.has(event.by?.id) || !view.checkVisibility()) return;
    if (document.hidden && !document.title.startsWith('•')) document.title = `• ${document.title}`;
    if (event.kind === 'say') announcer.say(`${authorOf(event)}: ${event.text}`, (n) => words.count('room.burst', n));
    // A page is read out by what shows it, wherever one is.
    if (event.kind === 'notice' && !/^page/.test(event.notice)) announcer.say(words.t('row.notice'));
    if (event.kind === 'poll.open') announcer.say(`${words.t('row.poll.open')}: ${event.question}`);
    if (event.kind === 'consult.card') announcer.say(words.t('case.announced_live', { question: event.question }));
    if (event.kind === 'consult.card' || event.kind === 'consult.update') waiting?.look();
    if (event.kind === 'consult.reveal') announcer.say(words.t('row.consult.reveal'));
    if (event.kind === 'mod.mode' || event.kind === 'mod.close') announcer.say(words.t(`row.${event.kind}`));
    if (event.kind === 'mod.caution') announcer.say(words.count('caution', event.doctors));
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
  ask({ act, entry, room = this.#inside.current?.id }) {
    if (act === 'link') return this.#copy(room, entry);
    if (act === 'persona') return this.persona(entry);
    if (act === 'report') return this.report(room, entry);
    if (act === 'moderate') return this.moderate(room, entry);
    const { lounge, announcer, room: view } = this.#inside;
    const acts = {
      redact: () => lounge.redact(room, entry.seq),
      talk: () => lounge.askToTalk(room, entry.seq),
    };
    // In a consult nothing is taken back: it is withdrawn, and stays.
    const what = act === 'talk' ? 'talk.ask' : act === 'redact' && isConsult(room) ? 'withdraw' : act;
    const then = async () => {
      const ok = await acts[act]();
      if (act === 'talk' && ok.waiting) return this.withdraw(ok.talk);
      announcer.say(words.t(`${what}.done`));
      if (act === 'talk') view.say(words.t(`${what}.done`));
      if (act === 'talk' && lounge.rooms.get(ok.talk)) this.#inside.go({ name: 'room', room: ok.talk });
    };
    return this.dialog('askAbout', { what, entry, act: then });
  }

  /** What is wrong with a message, for moderators to look at. */
  async report(room, entry) {
    const { openReport } = await later('report-form');
    const report = async (given) => {
      await this.#inside.lounge.act('report', room, { seq: entry.seq, ...given });
      this.#say(words.t(`report.done.${given.kind}`));
    };
    openReport({ entry, report });
  }

  /** What is done, as a moderator, about an entry or whoever wrote it. */
  async moderate(room, entry) {
    const { openActs } = await later('acts-dialog');
    const { current, doors } = this.#inside;
    openActs({ doors, room, titleOf: this.#inside.room.log.view.titleOf, entry, pinned: current?.pins?.includes(entry.seq), done: (act) => this.#say(words.t(`moderation.did.${act}`)) });
  }

  /** What was decided about one's own words is looked at again, by another moderator. */
  async appeal({ room, seq }) {
    const { openAppeal } = await later('report-form');
    const appeal = async (given) => {
      await this.#inside.lounge.order('appeal', { room, seq, cid: newCid(), ...given });
      this.#say(words.t('appeal.done'));
    };
    openAppeal({ appeal });
  }

  /** Said in the room in sight, and read out. */
  #say(text) {
    this.#inside.room.say(text);
    this.#inside.announcer.say(text);
  }

  /** Asked before, and not answered yet: it can be taken back. */
  withdraw(talk) {
    const { lounge, room } = this.#inside;
    const act = async () => {
      await lounge.answerTalk(talk, false);
      room.say(words.t('talk.withdraw.done'));
    };
    return this.dialog('askAbout', { what: 'talk.withdraw', act });
  }

  /** What was asked for is accepted, and gone to; or not. */
  async answer({ talk, accept }) {
    const { lounge, declined, room } = this.#inside;
    await lounge.answerTalk(talk, accept);
    if (accept) return this.#inside.go({ name: 'room', room: talk });
    declined.add(talk);
    return room.log.changed();
  }

  /** She has offered her name for one's own: asks once more, and tells it. */
  names({ by, about, target }) {
    const { lounge, room } = this.#inside;
    const act = async () => {
      await lounge.reveal(about, target);
      room.say(words.t('reveal.done'));
    };
    return this.dialog('askAbout', { what: 'reveal', entry: { by }, act });
  }

  signals({ on }) {
    return this.#inside.lounge.signals(on);
  }

  endTalk() {
    const { lounge, current } = this.#inside;
    return this.dialog('askAbout', { what: 'talk.end', act: () => lounge.endTalk(current.id) });
  }

  unsent({ cid, what }) {
    const { lounge, current } = this.#inside;
    const item = lounge.outbox.of(current.id).find((one) => one.cid === cid);
    if (what === 'retry') lounge.outbox.retry(cid);
    else if (what === 'change') this.takeBack(item);
    else lounge.outbox.discard(cid);
  }

  /** What the guard held goes back to where it was written, marks and all. */
  takeBack({ cid, text, replyTo, sort, error }) {
    const { lounge, room, current } = this.#inside;
    if (sort) room.consult?.write(sort);
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

  /** What the form of a case and the board of cases ask for. */
  async cases() {
    const calls = await this.#called();
    const { lounge, unsent: kept } = this.#inside;
    const here = lounge.rooms.own().find(({ id }) => !isUnlisted(id) && id !== 'me')?.id ?? 'world';
    return {
      kept,
      ...calls.forPages,
      ...(this.#inside.moderator && (await this.#watched())),
      preview: (as, exact) => lounge.preview(here, as, exact),
      send: (given) => lounge.order('consult', given, true),
      opened: async (room) => {
        await lounge.refresh().catch(() => {});
        this.#inside.go({ name: 'room', room }, { replace: true });
      },
    };
  }

  /** What the page of moderators asks for besides. */
  async #watched() {
    const { Watch } = await import('./parts/watch.js');
    const { socket, doors, lounge } = this.#inside;
    return { watch: (this.#watch ??= new Watch({ socket, api: doors })), listed: () => lounge.rooms.matching('') };
  }

  /** Under one's rooms: the cases that wait for opinions. */
  async waiting() {
    this.#install();
    await later('consults-waiting');
    const inside = this.#inside;
    inside.waiting = h('consults-waiting');
    inside.list.append(inside.waiting);
    inside.waiting.open({ doors: inside.doors });
    await (await this.#called()).start();
  }

  /** What belongs to every screen is put into the head of a place. */
  async equip(place) {
    (await this.#called()).equip(place);
  }

  /** One has gone to another place. */
  moved() {
    this.#calls?.moved();
    if (document.body.dataset.place !== 'moderation') this.#watch?.stop();
  }

  async #called() {
    const { Calls } = await import('./calls.js');
    return (this.#calls ??= new Calls(this.#inside));
  }

  async palette() {
    const { openPalette } = await later('palette');
    const { rooms } = this.#inside.lounge;
    openPalette({
      matching: (typed) => rooms.matching(typed),
      own: () => rooms.own(),
      places: (typed) => this.#places(fold(typed)),
      go: (room) => this.#inside.go({ name: 'room', room }),
      search: (typed) => this.#inside.search({ typed }),
    });
  }

  /** Where else the palette leads: to cases that wait, to all of them, to a new one. */
  #places(typed) {
    const { waiting } = this.#inside;
    const to = (label, place) => ({ label, act: () => this.#inside.go(place) });
    const cases = typed ? waiting?.known ?? [] : [];
    const named = cases.map(({ id, question }) => to(question ?? words.t('consult.some'), { name: 'room', room: id }));
    const all = [...named, ...(this.#calls?.places() ?? []), to(words.t('oncall.title'), { name: 'oncall' }), to(words.t('case.title'), { name: 'case' }), to(words.t('consults.all'), { name: 'consults' })];
    return all.filter(({ label }) => fold(label).includes(typed));
  }

  /** Chooses the face for this room, or for the next message. */
  async faces() {
    const { openFaces } = await later('face-chooser');
    const { current: room, doors, lounge } = this.#inside;
    openFaces({
      room,
      preview: (as, exact) => lounge.preview(room.id, as, exact),
      choose: (as, exact) => lounge.face(room.id, as, exact),
      retire: () => lounge.retire(room.id),
      call: (name) => doors.patch('/api/screen-name', { name }),
      about: () => this.about(),
    });
  }

  /** Asks before one speaks with a second face where one spoke with another; what was written stays. */
  async secondFace(said, others) {
    const { text, replyTo } = said;
    const { openSecond } = await later('face-chooser');
    const inside = this.#inside;
    const { current: room } = inside;
    const back = () => {
      const quoted = room.timeline.get(replyTo);
      inside.room.composer.offer(text);
      if (quoted) inside.room.composer.replyTo(quoted, authorOf(quoted));
    };
    const post = (face) => {
      if (room !== inside.current) return;
      if (face) room.wearOnce(face);
      inside.post(said);
    };
    openSecond({ face: room.face, others, post, back });
  }

  /**
   * Who said an entry, as far as anybody may know, and what one may do about it; without an entry's seq
   * only what concerns nothing that was said. The address is the card's own while it is open.
   */
  async persona(entry) {
    const { openPersona } = await later('persona-card');
    const { current: room, doors, lounge, room: view } = this.#inside;
    const about = await doors.get(`/api/rooms/${room.id}/personas/${encodeURIComponent(entry.by.id)}`);
    if (room !== this.#inside.current) return;
    const stand = (who) => history.replaceState(history.state, '', addressOf({ name: 'room', room: room.id, who }));
    stand(entry.by.id);
    openPersona({
      entry,
      about,
      closed: () => location.hash.startsWith('#who=') && stand(),
      mayTalk: Boolean(entry.seq) && !isOfTwo(room.id),
      mayReveal: Boolean(entry.seq) && room.spokeIn(entry.seq),
      ignore: (on) => lounge.ignore(room.id, entry.by.id, on),
      talk: () => this.ask({ act: 'talk', entry }),
      reveal: async () => {
        await lounge.reveal(room.id, entry.seq);
        view.say(words.t('persona.offered'));
      },
    });
  }

  /** Puts a question with choices to the room. */
  async poll() {
    const { openPoll } = await later('poll-form');
    const { current: room, lounge } = this.#inside;
    openPoll({ ask: (poll) => lounge.act('poll', room.id, { ...poll, as: room.talk ? undefined : room.face.as }) });
  }

  /** What this place is not, what never to post, who runs it. */
  async about() {
    const { openAbout } = await later('about-lounge');
    return openAbout(this.#inside.doors);
  }

  async dialog(name, given) {
    const dialogs = await later('dialogs');
    dialogs[name](given);
  }

  /** A notification was pressed: the page that it told of, or a place. */
  #gone(url) {
    const page = url.searchParams.get('page');
    return page && this.#calls ? this.#calls.want(page) : this.#inside.go(placeOf(url));
  }

  /** The service worker, after the first room; on a computer that others use there is none. */
  async #install() {
    const { doors, frame, lounge, patient, session, signal, unsent } = this.#inside;
    const { sayOpen } = await patient(() => import('./parts/open-page.js'));
    sayOpen(doors, unsent, () => frame.isConnected);
    lounge.heard.on(({ event }) => event.notice === 'reach_test' && document.dispatchEvent(new CustomEvent('reachtest', { detail: event })));
    if (session.shared) return;
    const { install } = await patient(() => import('./parts/installed.js'));
    await install({ signal, go: (path) => this.#gone(new URL(path, location.href)) });
  }

  async #copy(room, { seq }) {
    await navigator.clipboard.writeText(location.origin + addressOf({ name: 'room', room, seq }));
    this.#inside.announcer.say(words.t('action.copied'));
  }
}
