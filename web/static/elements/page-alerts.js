// @ts-check
import { addressOf } from '../parts/router.js';
import { isPending, paging } from '../parts/paging.js';
import { words } from '../parts/words.js';
import { urgencyMark } from './consult-figures.js';
import { button, h, icon, markButton, tell, write } from './dom.js';
import { once } from './fields.js';
import { chime } from './page-sound.js';
import { addressee, layerWords, standing } from './page-words.js';
import { when } from './when.js';

const REASONS = ['busy', 'not_mine', 'unsafe', 'other'];
/** How one's own page can have come to an end that she may not have seen. */
const ENDED = new Set(['unanswered', 'accepted', 'answered']);
const RANK = { now: 0, today: 1, routine: 2 };
const OVER_MS = 10_000;
const FRESH_MS = 60_000;

/**
 * The pages put to this doctor, over whatever she is looking at, with Accept and Decline; and her own that wait.
 * It takes no focus: P goes to it. Each is read out once, however often it is repeated.
 */
export class PageAlerts extends HTMLElement {
  #ends = new AbortController();
  #unlisten = () => {};
  #cards = new Map();
  #said = new Set();
  #looked = new Set();
  #wanted = null;

  /** `home` is where it stands while no dialog is open; `say(text)` reads out politely; `where()` is the room in sight. */
  open({ home, say, where, wanted }) {
    Object.assign(this, { home, say, where });
    this.#wanted = wanted;
    this.voice = h('div', { class: 'unseen', role: 'alert' });
    this.list = h('div', { class: 'alerts' });
    this.own = h('ul', { class: 'own-pages' });
    this.append(this.voice, this.list, this.own);
    this.setAttribute('role', 'region');
    this.setAttribute('aria-label', words.t('page.alerts'));
    const { signal } = this.#ends;
    document.addEventListener('keydown', (event) => this.#key(event), { signal });
    document.addEventListener('visibilitychange', () => this.#seen(), { signal });
    // In the top layer of an open dialog nothing below it can be reached: a page goes with it.
    document.addEventListener('close', () => this.#place(), { signal, capture: true });
    this.watch = new MutationObserver(() => this.#place());
    this.watch.observe(document.body, { childList: true });
    this.#unlisten = paging.changed.on((news) => this.#heard(news));
    this.#draw();
    for (const page of paging.alerts.values()) this.#alerted(page, isFresh(page));
  }

  leave() {
    this.#ends.abort();
    this.#unlisten();
    this.watch.disconnect();
    this.remove();
  }

  /** Puts the hand on one of them, or on the first. */
  point(room) {
    const card = this.#cards.get(room) ?? this.#cards.values().next().value;
    card?.querySelector('button')?.focus();
    card?.scrollIntoView({ block: 'nearest' });
    return !!card;
  }

  /** As `point`, or once that page is here. */
  want(room) {
    this.#wanted = room;
    this.#draw();
  }

  /** What is written anew for the place one has gone to. */
  moved() {
    this.#drawOwn();
  }

  #heard({ what, page, live }) {
    if (!this.home.isConnected) return this.leave();
    if (what === 'alert' || what === 'again') this.#alerted(page, live || isFresh(page));
    if (what === 'over' && live) this.#over(page);
    if (what === 'taken' && live) this.say(takenWords(page));
    if (what === 'phase') this.#moved(page);
    // Sent from another device: nothing of it is followed here.
    if (what === 'unanswered' && live && !paging.own.has(page.about)) this.say([words.t('notice.page_unanswered'), page.number && words.t('page.number', { number: page.number })].filter(Boolean).join(' '));
    return this.#draw();
  }

  #alerted(page, isNews) {
    if (!isNews) return;
    if (page.way !== 'ask') chime(page.urgency);
    if (document.hidden && !document.title.startsWith('•')) document.title = `• ${document.title}`;
    if (this.#said.has(page.about)) return;
    this.#said.add(page.about);
    this.voice.replaceChildren(h('p', {}, words.t(`page.said.${page.way ?? 'page'}`, { urgency: words.t(`page.urgency.${page.urgency}`), to: addressee(page), text: page.text })));
  }

  /** Somebody else was first, or it is withdrawn: nothing is left to do, and it says so for a moment. */
  #over({ about }) {
    const told = overWords(paging.alerts.get(about)?.over);
    if (told) this.say(told);
    setTimeout(() => paging.dismiss(about), OVER_MS);
  }

  /** One's own page has come further. */
  #moved({ about, page }) {
    if (this.where() !== about) this.say(`${addressee(page)}: ${standing(page)}`);
  }

  #draw() {
    const pages = [...paging.alerts.values()].sort((one, other) => RANK[one.urgency] - RANK[other.urgency]);
    for (const [room, card] of this.#cards) if (!paging.alerts.has(room)) this.#gone(room, card);
    for (const page of pages) this.#card(page);
    // Nothing moves under a finger: what comes later stands below.
    for (const page of pages) if (!this.#cards.get(page.about).isConnected) this.list.append(this.#cards.get(page.about));
    this.#place();
    this.#drawOwn();
    this.#seen();
    if (this.#wanted && this.#cards.has(this.#wanted)) this.point(this.#wanted);
    if (this.#cards.has(this.#wanted)) this.#wanted = null;
  }

  #gone(room, card) {
    const held = card.contains(document.activeElement);
    card.remove();
    this.#cards.delete(room);
    if (held && !this.point()) document.querySelector('main h2[tabindex]')?.focus();
  }

  #card(page) {
    const card = this.#cards.get(page.about) ?? new Alert();
    this.#cards.set(page.about, card);
    card.show(page);
  }

  /** Her own pages that nobody has accepted yet, or that she has not looked at since: one line each. */
  #drawOwn() {
    const here = this.where();
    const seen = paging.own.get(here)?.state.phase;
    if (seen === 'unanswered') this.#looked.add(here);
    if (seen === 'accepted' || seen === 'answered') return paging.forget(here);
    const pages = [...paging.own].filter(([room, { state }]) => room !== here && (isPending(state) || (ENDED.has(state.phase) && !this.#looked.has(room))));
    const lines = pages.map(([room, page]) => ownLine(room, page));
    const same = lines.length === this.own.childElementCount && lines.every((line, at) => line.isEqualNode(this.own.children[at]));
    if (!same) this.own.replaceChildren(...lines);
    return undefined;
  }

  #seen() {
    if (document.hidden || !this.checkVisibility()) return;
    for (const [room, card] of this.#cards) {
      if (!card.seen) paging.mark(room, 'seen');
      card.seen = true;
    }
  }

  #place() {
    if (!this.home.isConnected) return this.leave();
    const place = (this.#cards.size && document.querySelector('dialog:modal')) || this.home;
    if (this.parentElement === place) return undefined;
    const held = this.contains(document.activeElement) && document.activeElement;
    this.voice.replaceChildren(); // what was read out is not read out again where it goes
    place.prepend(this);
    if (held) held.focus();
    return undefined;
  }

  #key(event) {
    const { key, target, ctrlKey, metaKey, altKey } = event;
    if (key.toLowerCase() !== 'p' || ctrlKey || metaKey || altKey || target.closest?.('input, textarea, select')) return;
    if (!this.home.isConnected) this.leave();
    else if (this.point()) event.preventDefault();
  }
}

/** One page as it is put to her. */
class Alert extends HTMLElement {
  #drawn = '';

  show(page) {
    const { about, over, taken } = page;
    const drawn = JSON.stringify([about, over, taken]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.className = `page-alert ${over ? 'over' : page.urgency}`;
    this.dataset.room = about;
    const held = this.contains(document.activeElement);
    if (over) this.#tellOver(page);
    else this.#build(page, taken ? this.#acknowledging(page) : this.#answering(page));
    if (held) this.querySelector('button')?.focus();
  }

  #tellOver({ about, over }) {
    this.replaceChildren(h('p', {}, over.phase === 'accepted' ? icon('check') : '', ' ', overWords(over)), button(words.t('page.dismiss'), () => paging.dismiss(about), { class: 'quiet' }));
  }

  #build(page, parts) {
    const { at, layer, overridden, text, urgency } = page;
    const to = words.t(`page.for.${page.way ?? 'page'}`, { to: addressee(page) });
    this.replaceChildren(
      h('p', { class: 'case-head' }, urgencyMark(urgency), h('b', {}, to), layer ? h('span', { class: 'foot' }, words.t('page.you_are', { who: layerWords(layer) })) : '', when(at)),
      h('p', { class: 'page-text', dir: 'auto' }, text),
      overridden ? h('p', { class: 'foot', dir: 'auto' }, words.t('page.overridden', { why: overridden })) : '', ...parts);
    this.setAttribute('role', 'group');
    this.setAttribute('aria-label', to);
  }

  /** Accepted by another: she says that she knows of it, and stays where she is. */
  #acknowledging({ about, taken }) {
    const trouble = h('p', { class: 'trouble', role: 'alert' });
    const yes = button(words.t('page.acknowledge'), ({ currentTarget }) => once(currentTarget, trouble, () => paging.answer(about, { accept: true })), { class: 'primary' });
    return [h('p', {}, icon('check'), ' ', takenWords(taken)), h('div', { class: 'choices' }, yes), trouble];
  }

  #answering(page) {
    const { about } = page;
    const id = `told-${about.replace(/\W/g, '-')}`;
    const trouble = h('p', { class: 'trouble', role: 'alert' });
    const accept = (formal) => ({ currentTarget }) => once(currentTarget, trouble, async () => {
      const around = this.closest('page-alerts');
      // Another may have been first, the moment before: then there is no room to go to.
      if (await paging.answer(about, { accept: true, formal })) tell(around, 'accepted', { room: about });
    });
    const reasons = this.#reasons(about, trouble);
    const decline = button(words.t('page.decline'), () => {
      reasons.hidden = !reasons.hidden;
      decline.setAttribute('aria-expanded', String(!reasons.hidden));
      if (!reasons.hidden) reasons.querySelector('button').focus();
    }, { class: 'quiet', 'aria-expanded': 'false' });
    const yes = page.formal
      ? [button(words.t('page.accept_formal'), accept(true), { class: 'primary', 'aria-describedby': id }), button(words.t('page.accept_informal'), accept(false))]
      : [button(words.t('page.accept'), accept(false), { class: 'primary', 'aria-describedby': id })];
    return [
      h('p', { class: 'foot', id }, words.t(page.formal ? 'page.reveals' : 'page.reveals_not')),
      h('div', { class: 'choices' }, ...yes, decline), reasons, trouble,
    ];
  }

  #reasons(room, trouble) {
    const because = (reason) => button(words.t(`page.reason.${reason}`), ({ currentTarget }) => once(currentTarget, trouble, () => paging.answer(room, { accept: false, reason })));
    return h('div', { class: 'choices reasons', role: 'group', 'aria-label': words.t('page.why_not'), hidden: true }, ...REASONS.map(because));
  }
}

/** Whether it came so lately that it is news, though it was told of late. */
function isFresh({ at }) {
  return Date.now() - Date.parse(at) < FRESH_MS;
}

function takenWords({ layer }) {
  return words.t('page.taken', { who: layer ? layerWords(layer) : words.t('page.layer.one') });
}

function overWords(over) {
  if (!over) return '';
  if (over.phase === 'accepted' || over.phase === 'answered') return words.t('page.over.accepted', { who: over.layer ? layerWords(over.layer) : words.t('page.layer.one') });
  return words.coded('page.over', over.phase);
}

function ownLine(room, page) {
  const link = h('a', { href: addressOf({ name: 'room', room }) }, h('b', {}, addressee(page)), ' ', h('span', {}, standing(page)));
  const done = markButton('close', words.t('page.dismiss'), () => paging.forget(room));
  return h('li', { class: page.state.phase === 'unanswered' ? 'lost' : '' }, link, isPending(page.state) ? '' : done);
}

customElements.define('page-alerts', PageAlerts);
customElements.define('page-alert', Alert);
