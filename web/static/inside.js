// @ts-check
import { Lounge } from './parts/lounge.js';
import { addressOf, placeOf } from './parts/router.js';
import { Shelf } from './parts/shelf.js';
import { Socket } from './parts/socket.js';
import { isUnlisted } from './parts/talk.js';
import { words } from './parts/words.js';
import { Announcer } from './elements/announcer.js';
import { byTouch, h, markButton } from './elements/dom.js';
import { ahead, later } from './elements/later.js';
import './elements/connection-status.js';
import './elements/room-list.js';
import './elements/room-view.js';

const READ_MS = 500;
const NEW_WITHIN = 30;
const STALE_MS = 30_000;
/** Places that are made when they are first gone to, each by its element. */
const SHEETS = {
  search: 'search-sheet', account: 'account-sheet',
  moderation: 'moderation-board', consults: 'consult-board', case: 'consult-form', page: 'page-form', oncall: 'oncall-board',
};
const ASIDE = new Set(['search', 'account']);
/** Whether a place stands where a room would. */
const inMiddle = (name) => name in SHEETS && !ASIDE.has(name);

/** The lounge of a signed-in, verified doctor. @returns {() => void} leaves it */
export function enter(given) {
  const inside = new Inside(given);
  inside.start();
  return () => inside.leave();
}

/** Joins the parts, which know no page, with the elements, which know no socket. */
class Inside {
  #ends = new AbortController();
  #unfollow = () => {};
  #unlisten = () => {};
  #place = { name: 'home' };
  #reading = 0;
  #read = new Map();
  /** Talks that were not accepted here; the server says no more of them. */
  declined = new Set();
  #refreshed = Date.now();

  constructor({ frame, session, doors, banner, look, away, patient, storages, told }) {
    Object.assign(this, { frame, session, doors, look, away, patient, told });
    this.moderator = session.roles.includes('moderator');
    this.kept = new Shelf(storages.local, 'lounge.of.');
    const unsent = new Shelf(storages.session, 'lounge.of.');
    this.unsent = unsent;
    this.socket = new Socket({ url: socketUrl(), session: () => this.#asked(), shelf: unsent });
    const mine = new Shelf(storages.local, 'lounge.of.mine.');
    this.lounge = new Lounge({ socket: this.socket, api: doors, unsent, mine });
    this.#build(banner());
  }

  start() {
    this.#listen();
    this.list.open(this.lounge.rooms);
    this.lounge.start();
    this.#show(placeOf(location), true);
  }

  /** Until she leaves. */
  get signal() {
    return this.#ends.signal;
  }

  leave() {
    this.#ends.abort();
    this.#unlisten();
    this.socket.stop();
  }

  #build(banner) {
    const make = (name, attributes) => h(name, attributes);
    const mark = (name, key, act) => markButton(name, words.t(key), act);
    this.status = make('connection-status');
    this.announcer = new Announcer();
    this.list = make('room-list');
    this.room = make('room-view', { hidden: true });
    this.welcome = h('div', { class: 'welcome' }, h('h2', {}, words.t('home.title')), h('p', {}, words.t('home.lede')), h('p', {}, words.t('face.not')));
    const marks = h('div', { class: 'marks' },
      mark('search', 'search.title', () => this.go({ name: 'search' })),
      this.moderator ? mark('shield', 'moderation.title', () => this.go({ name: 'moderation' })) : '',
      this.session.roles.includes('registrar') ? mark('papers', 'registrar.title', () => location.assign('/registrar')) : '',
      mark('help', 'help.title', () => this.#do('dialog', 'help')),
      mark('account', 'account.title', () => this.go({ name: 'account' })));
    this.frame.append(
      h('a', { class: 'skip', href: '#writing' }, words.t('app.skip')),
      h('header', { class: 'top' }, h('h1', { class: 'unseen' }, words.t('app.name')), banner, this.status, this.announcer),
      h('main', { class: 'regions' },
        h('section', { class: 'left', 'aria-label': words.t('app.rooms') }, h('div', { class: 'brand' }, h('a', { href: '/' }, words.t('app.name')), marks), this.list),
        h('section', { class: 'middle', 'aria-label': words.t('app.room') }, this.room, this.welcome),
        h('section', { class: 'right', 'aria-label': words.t('app.sheet') })));
  }

  #listen() {
    const { signal } = this.#ends;
    const on = (target, name, act) => target.addEventListener(name, act, { signal });
    on(window, 'popstate', () => this.#show(placeOf(location)));
    on(window, 'online', () => this.socket.improve());
    on(window, 'online', () => this.#look());
    on(window, 'offline', () => this.#look());
    on(document, 'visibilitychange', () => this.#turned());
    on(document, 'keydown', (event) => this.#key(event));
    on(this.frame, 'click', (event) => this.#followed(event));
    on(this.frame, 'back', () => this.#back());
    on(this.frame, 'ask', ({ detail }) => this.#do('ask', detail));
    on(this.frame, 'browse', () => this.#freshen());
    on(this.frame, 'help', () => this.#do('dialog', 'help'));
    on(this.frame, 'look', ({ detail }) => Object.assign(this.look, detail));
    on(this.list, 'focusin', () => this.#freshen());
    on(this.room, 'narrow', () => this.search({ here: true }));
    on(this.room, 'again', () => this.current?.join());
    for (const act of ['pin', 'react', 'unsent']) on(this.room, act, ({ detail }) => this.#do(act, detail));
    on(this.room, 'say', ({ detail }) => this.#say(detail));
    on(this.room, 'amend', ({ detail }) => this.#do('edit', detail));
    on(this.room, 'draft', ({ detail }) => this.#draft(detail.text));
    on(this.room, 'face', () => this.#do('faces'));
    on(this.room, 'about', () => this.#do('about'));
    on(this.room, 'poll', () => this.#do('poll'));
    on(this.room, 'drawn', () => this.#maybeRead());
    on(this.room, 'writable', () => this.current && this.#posted(this.current.id));
    for (const act of ['answer', 'names', 'signals', 'endTalk']) on(this.room, act, ({ detail }) => this.#do(act, detail));
    on(this.room, 'input', ({ target }) => target.id === 'write' && this.current?.talk?.wrote(target.value));
    const ends = [
      this.socket.states.on(() => this.#linked()),
      this.lounge.outbox.changed.on((room) => this.#posted(room)),
      this.lounge.heard.on((news) => this.#do('heard', news)),
      this.lounge.rooms.changed.on(() => this.current && this.room.changed()),
    ];
    this.#unlisten = () => ends.forEach((end) => end());
  }

  // — places —

  go(place, { replace = false } = {}) {
    const address = addressOf(place);
    const state = { from: replace ? history.state?.from : this.#place.name };
    if (replace || address === location.pathname + location.hash) history.replaceState(state, '', address);
    else history.pushState(state, '', address);
    this.#show(place);
  }

  #show(place, first = false) {
    const { name } = place;
    const known = name === 'home' || name === 'room' || name in SHEETS;
    if (!known || (name === 'moderation' && !this.moderator)) return this.go({ name: 'home' }, { replace: true });
    const before = this.#place;
    this.#place = place;
    document.body.dataset.place = name;
    for (const tag of Object.values(SHEETS)) for (const made of this.frame.querySelectorAll(tag)) made.hidden = true;
    if (name === 'room') this.#enter(place, { first, before });
    else if (name === 'home' || inMiddle(name)) this.#close();
    this.room.hidden = !this.current || inMiddle(name);
    this.welcome.hidden = !!this.current || inMiddle(name);
    if (name !== 'room') this.waiting?.look();
    this.#furnish(name);
    this.#entitle();
    this.acts?.moved();
  }

  async #furnish(name) {
    if (!SHEETS[name]) return;
    const tag = SHEETS[name];
    const [cases] = await Promise.all([inMiddle(name) && this.#do('cases'), later(tag)]);
    if (this.#place.name !== name) return;
    const sheet = this.frame.querySelector(tag) ?? h(tag);
    if (!sheet.isConnected) this.frame.querySelector(ASIDE.has(name) ? '.right' : '.middle').append(sheet);
    sheet.hidden = false;
    sheet.open({ ...cases, doors: this.doors, look: this.look, told: this.told, search: (ask) => this.#do('find', ask), titleOf: (id) => this.#titleOf(id) });
    if (name === 'search') this.#furnishSearch(sheet);
    else sheet.heading.focus();
    this.#do('equip', sheet);
    this.told = undefined;
  }

  #furnishSearch(sheet) {
    sheet.within(this.current && this.current.id !== 'me' ? this.current.id : null, this.narrow);
    sheet.ask(this.wanted);
    this.wanted = this.narrow = undefined;
  }

  #back() {
    const { name } = this.#place;
    const { from } = history.state ?? {};
    const toHome = name === 'room' || inMiddle(name) || !this.current;
    if (from && (!toHome || from === 'home' || inMiddle(from) || inMiddle(name))) return history.back();
    this.go(toHome ? { name: 'home' } : { name: 'room', room: this.current.id });
  }

  /** Links inside the lounge are places, not pages. */
  #followed(event) {
    const link = event.target.closest('a[href]');
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (link.classList.contains('skip')) return this.room.focusWriting();
    this.go(placeOf(new URL(link.href)));
  }

  #entitle() {
    const titles = { room: () => this.#titleOf(this.current.id), home: () => '' };
    const title = (titles[this.#place.name] ?? (() => words.t(`${this.#place.name}.title`)))();
    document.title = [title, words.t('app.name')].filter(Boolean).join(' · ');
  }

  #titleOf(id) {
    return words.title(this.lounge.rooms.get(id)?.title) || (isUnlisted(id) ? this.waiting?.titleOf(id) ?? words.t(`${id.split('/')[0]}.some`) : id);
  }

  // — the room in sight —

  #enter({ room: id, seq, who }, { first, before }) {
    if (this.current?.id !== id) this.#open(id);
    this.list.current(id);
    if (seq) this.#land(seq);
    else if (who) this.#do('persona', { by: { id: who } });
    else if (before.name !== 'room' || before.room !== id || first) this.#attend();
  }

  #open(id) {
    this.#close();
    const room = this.lounge.visit(id);
    this.current = room;
    this.landing = false;
    const { lounge } = this;
    const view = {
      room,
      address: addressOf({ name: 'room', room: id }),
      moderator: this.moderator,
      items: () => lounge.outbox.unseen(id, new Set(room.you.map((face) => face.id)), room.timeline),
      reacted: (seq) => lounge.reacted(id, seq),
      titleOf: (one) => this.#titleOf(one),
      act: (op, fields) => lounge.act(op, id, fields),
      doors: this.doors,
      answers: { rooms: lounge.rooms, declined: this.declined },
    };
    const draft = () => this.kept.get(draftOf(room), '');
    const limit = this.socket.welcome?.limits?.text ?? 8000;
    this.fresh = true;
    this.room.open(view, { listed: () => lounge.rooms.get(id), unread: 0, draft, limit });
    const ends = [room.changed.on((change) => this.#changed(room, change)), lounge.follow(id)];
    this.#unfollow = () => ends.forEach((end) => end());
  }

  #close() {
    this.#unfollow();
    this.#unfollow = () => {};
    this.#markRead();
    this.current = null;
    this.list.current(null);
  }

  #changed(room, { what, reason }) {
    if (what === 'reset') this.room.say(words.coded('reset', reason));
    if (what === 'reset') [this.fresh, this.landing] = [true, false];
    if (what === 'state') this.#stated(room);
    if (what === 'entries') this.room.log.changed();
    else this.room.changed();
  }

  #stated(room) {
    this.#linked();
    if (room.state !== 'live' || !this.fresh) return;
    this.fresh = false;
    this.#later(() => import('./acts.js').then(ahead));
    this.#furnishList();
    const { log } = this.room;
    log.unread = this.lounge.rooms.get(room.id)?.unread ?? 0;
    if (!this.landing) log.restart(log.unread <= NEW_WITHIN);
    this.#entitle();
  }

  /** The cases that wait stand under one's rooms, once there is time for them. */
  #furnishList() {
    if (this.waiting === undefined) this.#later(() => this.#do('waiting'));
    this.waiting ??= null;
  }

  #later(act) {
    (window.requestIdleCallback ?? setTimeout)(act);
  }

  async #land(seq) {
    const room = this.current;
    this.landing = true;
    try {
      await room.ready();
      const found = room === this.current && (await this.room.log.land(seq));
      if (room === this.current && !found) this.room.say(words.t('room.not_kept'));
    } catch {
      // The room itself says why it may not be entered.
    }
  }

  /** Where the hand goes: to the composer, or, where that would raise a keyboard, to the title. */
  async #attend() {
    const room = this.current;
    const before = document.activeElement;
    await room.ready().catch(() => {});
    if (room !== this.current || document.activeElement !== before || this.#place.name !== 'room') return;
    if (byTouch() || this.room.composer.hidden) this.room.heading.focus();
    else this.room.focusWriting();
  }

  /** What stands at the end of the log, in sight, counts as read; said not more than twice a second. */
  #maybeRead() {
    const room = this.current;
    const seen = room?.state === 'live' && this.room.log.atEnd && !document.hidden && this.room.checkVisibility();
    if (!seen || room.head <= (this.#read.get(room.id) ?? 0)) return;
    this.#read.set(room.id, room.head);
    this.#reading ||= setTimeout(() => this.#markRead(), READ_MS);
  }

  #markRead() {
    clearTimeout(this.#reading);
    if (this.#reading && this.current) this.lounge.read(this.current.id, this.#read.get(this.current.id));
    this.#reading = 0;
  }

  // — what the doctor does —

  #say(said) {
    const { current } = this;
    const others = said.replyTo ? [...current.othersIn(said.replyTo, current.face).values()] : [];
    if (others.length) return this.#do('secondFace', said, others);
    return this.post(said);
  }

  /** Says it with the face that is worn, which changes back if it was for once. */
  post(said) {
    const { id, face, head } = this.current;
    this.room.log.toEnd();
    const as = this.current.talk ? undefined : face.as;
    this.lounge.outbox.post({ ...said, room: id, you: face.id, as, since: head });
    this.current.wearOnce(null);
    this.current.talk?.wrote('');
  }

  #draft(text) {
    if (!this.current?.you[0]?.id) return;
    if (text.trim()) this.kept.set(draftOf(this.current), text);
    else this.kept.remove(draftOf(this.current));
  }

  #posted(room) {
    if (room !== this.current?.id) return;
    const { outbox } = this.lounge;
    const held = outbox.of(room).find(({ state, you }) => state === 'held' && this.current.you.some(({ id }) => id === you));
    if (held && this.room.canWrite && !this.room.composer.value.trim()) this.#do('takeBack', held);
    this.room.log.changed();
  }

  // — the line —

  async #asked() {
    try {
      await this.doors.get('/api/session');
      return { is: 'in' };
    } catch ({ code, retryAfter }) {
      return { is: code === 'signed_out' ? 'out' : 'unknown', retryAfter };
    }
  }

  #linked() {
    const { state } = this.socket;
    if (state.name === 'away') return this.away(state.code);
    const catching = this.current && ['away', 'joining', 'replaying'].includes(this.current.state);
    this.status.show(state, { offline: !navigator.onLine, catching });
    if (state.name === 'open' && !this.current) this.#furnishList();
  }

  #look() {
    this.socket.check();
    this.#linked();
  }

  #turned() {
    if (document.hidden) return this.room.log.lookedAway();
    this.#entitle();
    this.#look();
    this.#maybeRead();
  }

  /** Who is in rooms that are not one's own is told only when asked for. */
  #freshen() {
    if (Date.now() - this.#refreshed < STALE_MS) return;
    this.#refreshed = Date.now();
    this.lounge.refresh().catch(() => {});
  }

  /** Goes to the search: for `typed`, or narrowed to the room one is in. */
  search({ typed, here }) {
    [this.wanted, this.narrow] = [typed, here];
    this.go({ name: 'search' });
  }

  #key(event) {
    const typing = event.target.closest('input, textarea, select');
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      this.#do('palette');
    } else if (plain && event.key === '?' && !typing && !document.querySelector('dialog')) {
      this.#do('dialog', 'help');
    } else if (plain && event.key === '/' && !typing && !document.querySelector('dialog')) {
      event.preventDefault();
      this.go({ name: 'search' });
    } else if (plain && event.key === 'Escape' && event.target.closest('.right') && !event.defaultPrevented) {
      this.#back();
    }
  }

  /** Does one of the acts, and says why not when it is refused. */
  async #do(act, ...given) {
    try {
      const { Acts } = await import('./acts.js');
      this.acts ??= new Acts(this);
      return await this.acts[act](...given);
    } catch (refusal) {
      if (act === 'find') throw refusal;
      return this.#troubled(refusal);
    }
  }

  #troubled(refusal) {
    if (refusal.code === 'signed_out') this.away(4501);
    else if (this.current) this.room.say(words.refusal(refusal));
    else this.announcer.say(words.refusal(refusal));
  }
}

/** Two talk under the names of the room they met in: its drafts are not the talk's. */
function draftOf({ id, talk, you }) {
  return talk ? `draft.${id}.${you[0]?.id}` : `draft.${you[0]?.id}`;
}

function socketUrl() {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;
}
