// @ts-check
import { paging } from './parts/paging.js';
import { newCid } from './parts/wire.js';
import { words } from './parts/words.js';
import { MARKS, h, markButton } from './elements/dom.js';
import { later } from './elements/later.js';

Object.assign(MARKS, { ask: 'M11 3 5 11.5h4.5L9 17l6-8.5h-4.5L11 3Z' });

/** Pages and quick questions: joins what is known of them with what shows it, wherever the doctor is. */
export class Calls {
  #inside;

  constructor(inside) {
    this.#inside = inside;
    paging.start({ lounge: inside.lounge, kept: inside.kept, reads: () => inside.current?.id === 'me' && !document.hidden });
  }

  /** From the first room on: what is put to her, and the ways to ask, on every screen. */
  async start() {
    const { list, frame, status, announcer, room } = this.#inside;
    await Promise.all([later('page-alerts'), later('call-panel')]);
    this.alerts = h('page-alerts');
    this.panel = h('call-panel');
    status.parentElement.append(this.alerts);
    list.append(this.panel);
    this.alerts.open({ home: status.parentElement, say: (text) => announcer.say(text), where: () => this.#here, wanted: takeWanted() });
    this.panel.open({ doors: this.#inside.doors });
    frame.addEventListener('asknow', () => this.ask());
    frame.addEventListener('widen', ({ detail }) => this.#widen(detail));
    // A dialog stands outside of the frame: what goes with it is heard here.
    this.alerts.addEventListener('accepted', ({ detail }) => this.#opened(detail.room));
    frame.addEventListener('answerpage', ({ detail }) => this.alerts.point(detail.room));
    this.equip(room);
  }

  /** The way to ask now in the head of a place. */
  equip(place) {
    const head = place.querySelector('.room-head, .sheet-head');
    if (!head || head.querySelector('.ask-now')) return;
    const before = head.querySelector('.mark:last-child:not(.back)');
    const ask = markButton('ask', words.t('ask.title'), () => this.ask(), { class: 'ask-now' });
    if (before) before.before(ask);
    else head.append(ask);
  }

  /** Puts the hand on a page that is put to her, as soon as it is known here. */
  want(room) {
    this.alerts?.want(room);
  }

  /** One has gone to another place. */
  moved() {
    this.alerts?.moved();
  }

  /** One sentence to whoever is free. */
  async ask(text = '') {
    const { openAsk } = await later('ask-form');
    const { kept, unsent } = this.#inside;
    openAsk({ kept, unsent, text, online: () => this.#online, send: (given) => paging.send('ask_now', given), sent: (answer, specialty) => this.#asked(answer, specialty) });
  }

  /** What the page form does. */
  get forPages() {
    return { online: () => this.#online, page: (given) => paging.send('page', given), paged: (room) => this.#opened(room) };
  }

  /** Where else the palette leads. */
  places() {
    return [
      { label: words.t('ask.title'), act: () => this.ask() },
      { label: words.t('page.title'), act: () => this.#inside.go({ name: 'page' }) },
      { label: this.panel?.isOn ? words.t('available.turn_off') : words.t('available.turn_on'), act: () => this.#available() },
    ];
  }

  #available() {
    if (!this.panel?.checkVisibility()) this.#inside.go({ name: 'home' });
    this.panel?.turn();
  }

  get #online() {
    return this.#inside.socket.state.name === 'open';
  }

  get #here() {
    const { current, room } = this.#inside;
    return current && room.checkVisibility() ? current.id : null;
  }

  #opened(room) {
    for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
    this.#inside.go({ name: 'room', room });
  }

  /** Where nobody is available now she hears so at once; the card has what else there is to do. */
  async #asked({ room, reached }, specialty) {
    this.#opened(room);
    if (reached !== false) return;
    const { lonelyWords } = await import('./elements/page-words.js');
    this.#inside.announcer.say(lonelyWords(specialty));
  }

  /** The question goes as a case to all of the specialty, in one act; its thread of two says where it went. */
  async #widen({ page, room, done, failed }) {
    try {
      const specialty = page.specialty ?? (await this.#specialtyOf(page.role));
      const { consult } = await this.#inside.lounge.order('consult', { question: page.text, specialties: [specialty], urgency: page.urgency, as: 'anonymous', page: room, cid: newCid() }, true);
      done(true);
      this.#opened(consult);
    } catch (refusal) {
      failed(refusal);
    }
  }

  async #specialtyOf(role) {
    const { roles } = await this.#inside.doors.get('/api/roles');
    return roles.find(({ id }) => id === role)?.specialty;
  }
}

/** The page that a notification led to, from the address, once. */
function takeWanted() {
  const address = new URL(location.href);
  const room = address.searchParams.get('page');
  if (!room) return null;
  address.searchParams.delete('page');
  history.replaceState(history.state, '', address);
  return room;
}
