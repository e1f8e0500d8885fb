// @ts-check
import { isUnlisted } from '../parts/talk.js';
import { words } from '../parts/words.js';
import { openActs } from './acts-dialog.js';
import { h, icon, markButton, put, tell, write } from './dom.js';
import './duty-switch.js';
import './held-list.js';
import './report-queue.js';
import './rule-list.js';
import './sanction-list.js';
import './waived-list.js';
import './watch-table.js';

/** The parts of the page, each by its place in the address and its element. */
const PARTS = { rooms: 'watch-table', queue: 'report-queue', texts: 'held-list', sanctions: 'sanction-list', rules: 'rule-list', waived: 'waived-list' };
/** What nobody tells of; seldom, for each look at the queue is put on record. */
const AGAIN_MS = 60_000;
const SAID_MS = 10_000;
const LOOKS = new Set(['queue', 'texts']);

/** The moderators' page: the rooms as they are now, the queue, and all that is done about both. */
export class ModerationBoard extends HTMLElement {
  #timer = 0;
  #part = 'rooms';
  #unwatch = () => {};
  #saying = 0;
  #urgent = null;
  #reported = '';

  /** `doors` is the Api, `watch` the rooms as they are now, `listed()` all that are open to her. */
  open({ doors, titleOf, watch, listed }) {
    Object.assign(this, { doors, titleOf, watch, listed });
    this.say = (text) => this.#say(text);
    if (!this.firstChild) this.#build();
    this.#unwatch();
    const changed = watch.changed.on(() => this.#told());
    this.#unwatch = () => (changed(), watch.stop());
    watch.start();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#again(), AGAIN_MS);
    const part = location.hash.slice(1);
    this.#turn(part in PARTS ? part : 'rooms');
    this.duty.open({ doors, say: this.say });
  }

  disconnectedCallback() {
    this.#leave();
  }

  #leave() {
    clearInterval(this.#timer);
    this.#unwatch();
    this.#unwatch = () => {};
  }

  #build() {
    this.heading = h('h2', { tabindex: '-1' });
    this.state = h('p', { class: 'facts' });
    this.duty = h('duty-switch');
    this.links = Object.fromEntries(Object.keys(PARTS).map((part) => [part, h('a', { href: part === 'rooms' ? '/moderation' : `/moderation#${part}` })]));
    this.place = h('div', { class: 'board', tabindex: '0', role: 'region', 'aria-label': words.t('moderation.title') });
    this.append(
      h('header', { class: 'room-head' },
        markButton('back', words.t('app.back'), () => tell(this, 'back'), { class: 'back' }),
        h('div', { class: 'titles' }, this.heading, this.state)),
      h('nav', { class: 'parts', 'aria-label': words.t('moderation.title') }, ...Object.values(this.links)),
      this.place);
    this.did = h('p', { class: 'did', role: 'status' });
    this.place.append(this.did, this.duty, ...Object.values(PARTS).map((tag) => h(tag, { hidden: true })));
    this.addEventListener('reportsof', ({ detail }) => this.#reportsOf(detail.room));
    this.addEventListener('actroom', ({ detail }) => this.#act({ room: detail.row.room, row: detail.row }));
    this.addEventListener('actreport', ({ detail }) => this.#act({ room: detail.report.room, entry: detail.report.event, reason: detail.report.kind }));
    this.#label();
  }

  get #sight() {
    return this.querySelector(PARTS[this.#part]);
  }

  #turn(part) {
    if (part !== this.#part) write(this.did, '');
    this.#part = part;
    for (const [name, link] of Object.entries(this.links)) put(link, 'aria-current', name === part && 'page');
    for (const tag of Object.values(PARTS)) this.querySelector(tag).hidden = tag !== PARTS[part];
    this.duty.hidden = part !== 'rooms';
    write(this.heading, words.t(`moderation.part.${part}`));
    this.place.scrollTop = 0;
    this.links[part].scrollIntoView({ block: 'nearest', inline: 'nearest' });
    if (part !== 'rooms') this.#sight.open({ doors: this.doors, titleOf: (room) => this.#title(room), say: this.say, rooms: () => this.#rooms() });
    this.#told();
  }

  /** Claims of others are told by nobody; nothing is asked while somebody writes there. */
  #again() {
    if (!this.checkVisibility()) return this.#leave();
    const busy = document.hidden || document.querySelector('dialog[open]') || this.#sight.querySelector('input:focus, textarea:focus, select:focus');
    if (!busy && LOOKS.has(this.#part)) this.#sight.look();
    return undefined;
  }

  #told() {
    const { state, rooms, refusal } = this.watch;
    const live = state !== 'away';
    this.state.classList.toggle('stale', !live);
    const said = refusal && refusal.code !== 'lost' ? words.refusal(refusal) : words.t(live ? 'moderation.live' : 'moderation.not_live');
    if (this.state.textContent !== said) this.state.replaceChildren(...(live ? [] : [icon('warn'), ' ']), said);
    if (!this.checkVisibility()) return;
    if (this.#part === 'rooms') this.querySelector('watch-table').show(rooms);
    this.#count([...rooms.values()]);
  }

  /** What waits stands in the names of the parts; an urgent report that is new is read out, and the queue looks. */
  #count(rows) {
    const sum = (of) => rows.reduce((all, row) => all + (of(row) ?? 0), 0);
    const [open, urgent, texts] = [sum(({ reports }) => reports?.open), sum(({ reports }) => reports?.urgent), sum(({ holds }) => holds)];
    this.#label({ queue: open, texts });
    if (this.#urgent !== null && urgent > this.#urgent) this.say(words.t('moderation.urgent_new'));
    if (this.watch.state !== 'away') this.#urgent = urgent;
    const reported = JSON.stringify([open, urgent, texts]);
    if (reported !== this.#reported && this.#reported && LOOKS.has(this.#part) && !document.querySelector('dialog[open]')) this.#sight.look();
    this.#reported = reported;
  }

  #label(counts = {}) {
    for (const [part, link] of Object.entries(this.links)) {
      const n = counts[part];
      write(link, n ? words.t('moderation.part_n', { part: words.t(`moderation.part.${part}`), n }) : words.t(`moderation.part.${part}`));
    }
  }

  #reportsOf(room) {
    this.querySelector('report-queue').narrow(room);
    this.links.queue.click();
  }

  #act({ room, row, entry, reason }) {
    openActs({ doors: this.doors, room, titleOf: (one) => this.#title(one), entry, row: row && this.watch.rooms.get(room), reason, done: (act) => this.#done(act) });
  }

  /** In sight and read out, for a while or until the next place. */
  #say(text) {
    this.did.textContent = '';
    requestAnimationFrame(() => write(this.did, text));
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => write(this.did, ''), SAID_MS);
  }

  #done(act) {
    this.say(words.t(`moderation.did.${act}`));
    if (this.#part !== 'rooms') this.#sight.look();
  }

  #title(room) {
    return words.title(this.watch.rooms.get(room)?.title) || this.titleOf(room);
  }

  /** Rooms that a rule may be for, by title. */
  #rooms() {
    const all = this.listed().filter(({ id }) => id !== 'me' && !isUnlisted(id)).map(({ id, title }) => [id, words.title(title)]);
    return all.sort(([, one], [, other]) => one.localeCompare(other, words.lang));
  }
}

customElements.define('moderation-board', ModerationBoard);
