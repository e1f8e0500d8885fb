// @ts-check
import { words } from '../parts/words.js';
import { authorOf } from './message-row.js';
import { button, h, markButton, put, tell, write } from './dom.js';
import { later } from './later.js';
import { isConsult, isOfTwo } from '../parts/talk.js';
import './message-log.js';

/** Rooms with a bar of their own. */
const BESIDE = /^(consult|page)\//;

/** One room as it is seen: its header, its log, and, once that is read, where one writes. */
export class RoomView extends HTMLElement {
  #room = null;
  #listed = () => undefined;

  connectedCallback() {
    if (this.firstChild) return;
    this.heading = h('h2', { tabindex: '-1' });
    this.facts = h('p', { class: 'facts' });
    this.pin = markButton('pin', words.t('room.pin'), () => this.#pinned(), { 'aria-pressed': 'false' });
    this.notice = h('p', { class: 'room-notice', role: 'status', hidden: true });
    this.refusal = h('div', { class: 'refusal', hidden: true });
    this.log = document.createElement('message-log');
    this.composer = h('message-composer', { id: 'writing' });
    this.append(
      h('header', { class: 'room-head' },
        markButton('back', words.t('app.back'), () => tell(this, 'back'), { class: 'back' }),
        h('div', { class: 'titles' }, this.heading, this.facts),
        markButton('search', words.t('room.search'), () => tell(this, 'narrow'), {}),
        this.pin),
      this.notice, this.refusal, this.log, this.composer);
    this.log.addEventListener('act', ({ detail }) => this.#act(detail));
    this.log.addEventListener('drawn', () => this.#signalled());
    this.log.addEventListener('drawn', () => this.#write());
    this.composer.addEventListener('last', () => this.#editLast());
  }

  get room() {
    return this.#room;
  }

  /** `view` as of the log; `listed()` is the room's row in the list; `draft()` what was kept. */
  open(view, { listed, unread, draft, limit }) {
    this.#room = view.room;
    this.#listed = listed;
    this.draft = draft;
    this.offered = false;
    this.notice.hidden = true;
    this.limit = limit;
    this.log.open(view, unread);
    if (this.canWrite) this.composer.open(limit);
    for (const part of [this.bar, this.line, this.consult, this.composer.sort]) part?.remove();
    if (view.room.talk) this.#furnish(view.room);
    const [, beside] = BESIDE.exec(view.room.id) ?? [];
    if (beside) this.#beside(view, `${beside}-bar`);
    this.changed();
  }

  /** Something about the room changed: its state, its mode, who is here. */
  changed() {
    if (!this.#room) return;
    this.dataset.state = this.#room.state;
    this.classList.toggle('of-consult', BESIDE.test(this.#room.id));
    const listed = this.#listed();
    write(this.heading, words.title(listed?.title) || this.#room.talk?.other?.name || this.#room.timeline.get(1)?.question || this.log.view.titleOf(this.#room.id));
    write(this.facts, this.#facts(listed));
    put(this.pin, 'aria-pressed', String(!!(listed?.pinned ?? listed?.own)));
    this.pin.hidden = this.#room.id === 'me' || isOfTwo(this.#room.id);
    this.#refused();
    this.#speak();
    this.#signalled();
    this.log.changed();
  }

  /** What the doctor should know about the room itself, in sight until the next room. */
  say(text) {
    this.notice.hidden = !text;
    write(this.notice, text);
  }

  /** Puts the hand where one writes, as soon as there is a place for it. */
  focusWriting() {
    if (this.canWrite) return this.composer.focus();
    this.wanted = document.activeElement;
  }

  /** What is written with is fetched once there is something to read. */
  async #write() {
    if (this.writing || !(this.log.lastRow || this.#room.state === 'live')) return;
    this.writing = true;
    await new Promise((rest) => setTimeout(rest));
    const [{ pendingRow }] = await Promise.all([later('pending-row'), later('message-composer')]);
    if (!this.isConnected) return; // the page is left: what is in no document stays a bare element
    this.log.pendingRow = pendingRow;
    this.canWrite = true;
    this.composer.open(this.limit);
    this.offered = false;
    this.#speak();
    this.log.changed();
    if (this.wanted && this.wanted === document.activeElement && !this.composer.hidden) this.composer.focus();
    tell(this, 'writable');
  }

  #facts(listed) {
    const { mode, state, present } = this.#room;
    const line = { live: 'room.live', refused: '', replaying: 'connection.catching_up' }[state] ?? 'room.not_live';
    const here = this.#room.id === 'me' || isOfTwo(this.#room.id) ? '' : words.band(present ?? listed?.present);
    const facts = [here, line && words.t(line)];
    if (mode.frozen) facts.push(words.t(mode.closed ? 'room.closed' : 'room.frozen'));
    if (mode.slow) facts.push(words.count('room.slow', mode.slow));
    return facts.filter(Boolean).join(' · ');
  }

  #refused() {
    const refused = this.#room.state === 'refused';
    this.refusal.hidden = !refused;
    this.log.hidden = refused;
    if (!refused || this.refusal.firstChild) return refused || this.refusal.replaceChildren();
    const again = button(words.t('send.retry'), () => tell(this, 'again'), { class: 'quiet' });
    this.refusal.replaceChildren(h('p', { role: 'alert' }, words.refusal(this.#room.refusal)), again);
  }

  #speak() {
    const { face, id, mode, state } = this.#room;
    const { sort } = this.composer;
    this.composer.hidden = id === 'me' || state === 'refused' || (!!sort && !sort.isOpen);
    if (!this.canWrite) return;
    if (face && !this.offered) {
      this.offered = true;
      this.composer.offer(this.draft());
    }
    if (!this.consult?.isConnected) [this.composer.sort, this.composer.sealed] = [null, false];
    const why = this.#room.talk ? 'refusal.talk_closed' : mode.closed ? 'room.closed_why' : 'room.frozen_why';
    const closed = mode.frozen ? words.t(why) : face ? '' : words.t('compose.joining');
    this.composer.show({ label: isConsult(id) ? words.t('compose.in_case') : words.t('compose.label', { room: this.heading.textContent }), face, room: this.#room, fixed: isOfTwo(id), closed });
    this.#pins();
  }

  /** What a moderator has pinned, over the log. */
  async #pins() {
    if (!this.pins && !this.#room.pins.length) return;
    await later('pin-list');
    this.pins ??= document.createElement('pin-list');
    this.notice.before(this.pins);
    this.pins.show(this.log.view);
  }

  /** What a talk has beside its log, fetched when the first one is opened. */
  async #furnish(room) {
    await later('talk-bar');
    if (room !== this.#room) return;
    this.bar ??= document.createElement('talk-bar');
    this.line ??= document.createElement('talk-line');
    this.notice.before(this.bar);
    this.composer.before(this.line);
    this.#signalled();
  }

  /** What a consult or a page has beside its log: how it stands, and what is to be done next. */
  async #beside(view, tag) {
    await Promise.all([later(tag), later('message-composer')]);
    if (view.room !== this.#room) return;
    this.consult = this[tag] ??= document.createElement(tag);
    this.composer.before(this.consult);
    this.consult.open(view, this);
  }

  #signalled() {
    if (this.consult?.isConnected) this.consult.changed();
    const { mode, talk, timeline } = this.#room ?? {};
    if (mode?.slow && this.canWrite) this.composer.slowed();
    if (!talk?.other || !this.bar?.isConnected) return;
    const [last] = timeline.latest(1);
    this.bar.show(talk);
    this.line.show(talk, last?.kind === 'say' && this.#room.isMine(last) ? last.seq : 0);
  }

  #act({ act, entry }) {
    if (act === 'receipt') return this.consult.receipt(entry);
    if (act !== 'reply' && act !== 'edit') return tell(this, 'ask', { act, entry });
    if (!this.canWrite) return this.addEventListener('writable', () => this.#act({ act, entry }), { once: true });
    this.consult?.write(entry.sort);
    return act === 'reply' ? this.composer.replyTo(entry, authorOf(entry)) : this.composer.edit(entry);
  }

  #editLast() {
    const { timeline } = this.#room;
    const mine = timeline.latest(200).findLast((entry) => entry.kind === 'say' && this.#room.isMine(entry));
    if (mine) this.composer.edit(mine);
  }

  #pinned() {
    tell(this, 'pin', { pinned: this.pin.getAttribute('aria-pressed') !== 'true' });
  }
}

customElements.define('room-view', RoomView);
