// @ts-check
import { ownShifts, readRole } from '../parts/rota.js';
import { words } from '../parts/words.js';
import { button, h, icon, markButton, tell, write } from './dom.js';
import { calendarFeed } from './calendar-feed.js';
import { once } from './fields.js';
import { shiftList, untilButtons } from './own-duty.js';
import { keptLine, roleList } from './role-list.js';
import { roleSheet } from './role-sheet.js';

const AGAIN_MS = 60_000;
const REACH = '/account#reach';
const AT = /^#role=([\w-]{1,64})$/;

/** On call: one's own shifts, who is on for which service and the numbers, and, of one's own roles, the rota. */
export class OncallBoard extends HTMLElement {
  #timer = 0;
  #turn = 0;
  #shown = '';

  /** `doors` is the Api. Looks by itself once a minute while it can be seen, and no form is written in. */
  open({ doors }) {
    this.doors = doors;
    if (!this.firstChild) this.#build();
    this.chosen = AT.exec(location.hash)?.[1] ?? null;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#mayLook() && this.look(), AGAIN_MS);
    this.look();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  #build() {
    this.heading = h('h2', { tabindex: '-1' }, words.t('oncall.title'));
    this.said = h('p', { class: 'said', role: 'status' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.body = h('div', { class: 'oncall-body' });
    this.append(
      h('header', { class: 'room-head' },
        markButton('back', words.t('app.back'), () => tell(this, 'back'), { class: 'back' }),
        h('div', { class: 'titles' }, this.heading),
        h('a', { class: 'button', href: '/page' }, words.t('oncall.page'))),
      h('div', { class: 'board', tabindex: '0', role: 'region', 'aria-label': words.t('oncall.title') }, this.said, this.trouble, this.body));
  }

  #mayLook() {
    return !document.hidden && this.checkVisibility() && !this.body.querySelector('form:focus-within, details[open] form, dialog') && !this.body.matches(':hover');
  }

  /** Asks for all that is shown. `anew`: something was done, so that it is drawn whatever is open. */
  async look({ anew = false } = {}) {
    const turn = ++this.#turn;
    try {
      const { roles, kept } = await this.doors.get('/api/roles');
      const own = await Promise.all(roles.filter(({ mine }) => mine && mine !== 'asked').map((role) => this.#detail(role)));
      const silent = own.some(({ you }) => you) && !kept && (await this.#silent());
      if (turn !== this.#turn) return;
      write(this.trouble, '');
      this.#show({ roles, kept, own, silent }, anew);
    } catch (refusal) {
      if (turn === this.#turn) write(this.trouble, words.refusal(refusal));
    }
  }

  async #detail(role) {
    return readRole({ ...role, ...(await this.doors.get(`/api/roles/${encodeURIComponent(role.id)}`)) });
  }

  /** Whether somebody who may be on call could not be alerted. */
  async #silent() {
    const { reachable = true } = await this.doors.get('/api/reach').catch(() => ({}));
    return !reachable;
  }

  #show({ roles, kept, own, silent }, anew) {
    const now = JSON.stringify([roles, own, this.chosen, silent, kept ? 1 : 0]);
    if (now === this.#shown && !anew) return;
    this.#shown = now;
    const role = own.find(({ id }) => id === this.chosen);
    this.body.replaceChildren(kept ? keptLine(kept) : '', silent ? warning() : '', ...(role ? this.#sheet(role, kept) : this.#all(roles, own, kept)));
  }

  #all(roles, own, kept) {
    const asked = roles.filter(({ mine }) => mine === 'asked');
    return [
      ...asked.map((role) => this.#asked(role)),
      own.length ? this.#duty(own, kept) : '',
      h('section', { 'aria-labelledby': 'oncall-services' }, h('h3', { id: 'oncall-services' }, words.t('oncall.services')), ...roleList(roles, { kept, open: ({ id }) => this.#choose(id) })),
    ];
  }

  #duty(own, kept) {
    const trouble = h('p', { class: 'trouble', role: 'alert' });
    const mine = own.flatMap((role) => ownShifts(role).map((shift) => ({ ...shift, role }))).sort((one, other) => one.starts - other.starts);
    const takes = kept ? [] : own.filter(({ you, layers }) => you && layers.length);
    const taking = takes.map((role) => untilButtons(role, (change) => this.#change(role, change), trouble));
    return h('section', { class: 'own-duty', 'aria-labelledby': 'oncall-own' },
      h('h3', { id: 'oncall-own' }, words.t('oncall.own')), shiftList(mine), trouble, ...taking, kept ? '' : calendarFeed(this.doors));
  }

  #asked({ id, service, name }) {
    const trouble = h('p', { class: 'trouble', role: 'alert' });
    const answer = (accept) => ({ currentTarget }) => once(currentTarget, trouble, async () => {
      await this.doors.post(`/api/roles/${encodeURIComponent(id)}/members`, { agrees: accept });
      await this.look({ anew: true });
    });
    return h('section', { class: 'asked' }, h('p', {}, words.t('oncall.asked', { service, name })),
      h('div', { class: 'choices' }, button(words.t('oncall.asked.yes'), answer(true), { class: 'primary' }), button(words.t('oncall.asked.no'), answer(false), { class: 'quiet' })), trouble);
  }

  #sheet(role, kept) {
    const back = button(words.t('oncall.all'), () => this.#choose(null), { class: 'quiet', mark: 'back' });
    const sheet = roleSheet({ role, kept, doors: this.doors, width: this.body.clientWidth, again: () => this.look({ anew: true }), change: (change) => this.#change(role, change), parted: (key) => this.#parted(key) });
    return [h('p', {}, back), ...sheet];
  }

  /** She has left or given away what she had; where there is nothing of it for her, all services stand there. */
  async #parted(key) {
    await this.look({ anew: true });
    write(this.said, words.t(key));
    this.heading.focus();
  }

  async #change({ id, you }, change) {
    const { state, reachable } = await this.doors.post(`/api/roles/${encodeURIComponent(id)}/changes`, change);
    await this.look({ anew: true });
    write(this.said, words.t(state === 'asked' ? 'oncall.asked_other' : 'oncall.done'));
    if (reachable === false && (change.doctor ?? you) === you) this.#toReach();
  }

  /** Whom nothing reaches goes on call only by name: what is missing is put before her at once. */
  #toReach() {
    const link = h('a', { href: REACH, hidden: true });
    this.append(link);
    link.click();
    link.remove();
  }

  #choose(id) {
    this.chosen = id;
    history.replaceState(history.state, '', id ? `/oncall#role=${id}` : '/oncall');
    this.look({ anew: true }).then(() => this.heading.focus());
    write(this.said, '');
  }
}

function warning() {
  return h('div', { class: 'asked' }, h('p', { class: 'bare' }, icon('warn'), words.t('oncall.silent')), h('p', {}, h('a', { class: 'button', href: REACH }, words.t('oncall.reach'))));
}

customElements.define('oncall-board', OncallBoard);
