// @ts-check
import { isOfTwo } from '../parts/talk.js';
import { words } from '../parts/words.js';
import { h, markButton, tell } from './dom.js';
import { later } from './later.js';

const LONG_PRESS_MS = 500;
/** Kinds of entries with words in them: they can be reported, and hidden by a moderator. */
const WORDED = new Set(['say', 'page.open', 'poll.open', 'consult.open', 'consult.card', 'consult.reveal', 'consult.decided', 'consult.outcome']);
/** Those whose author is somebody in this very room. */
const SPOKEN = new Set(['say', 'poll.open', 'consult.open']);
const KEYS = { r: 'reply', e: 'edit', m: 'menu', Enter: 'menu', ContextMenu: 'menu', Delete: 'redact' };

/**
 * What can be done with a row: a small bar on the row that is pointed at or focused, and the whole
 * menu by its button, a long press, the menu key or m. One bar serves all rows.
 */
export class RowActions {
  #log;
  #bar;
  #press = 0;

  constructor(log) {
    this.#log = log;
    this.#bar = this.#makeBar();
    const { rows } = log;
    rows.addEventListener('pointerover', ({ target, pointerType }) => pointerType !== 'touch' && this.#show(target));
    rows.addEventListener('focusin', ({ target }) => this.#show(target));
    rows.addEventListener('contextmenu', (event) => this.#context(event));
    rows.addEventListener('touchstart', ({ target }) => this.#pressed(target), { passive: true });
    for (const name of ['touchend', 'touchmove', 'touchcancel']) {
      rows.addEventListener(name, () => clearTimeout(this.#press), { passive: true });
    }
  }

  leave() {
    this.#bar.remove();
  }

  key(event, row) {
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const entry = this.#entry(row);
    if (!act || !entry || !this.#may(entry)[act]) return;
    event.preventDefault();
    if (act === 'menu') this.menu(entry);
    else this.#tell(act, entry);
  }

  /** Everything one may do with an entry, named. */
  async menu(entry) {
    const { openMenu } = await later('row-menu');
    openMenu({
      entry,
      may: this.#may(entry),
      reacted: this.#log.view.reacted(entry.seq),
      names: entry.kind === 'say' && this.#log.view.room.consult ? { redact: 'withdraw', edit: 'correct' } : {},
      choose: (act) => this.#tell(act, entry),
      react: (emoji) => tell(this.#log, 'react', { seq: entry.seq, emoji }),
    });
  }

  #makeBar() {
    const current = () => this.#entry(this.#bar.parentElement);
    return h('div', { class: 'row-bar' },
      markButton('reply', words.t('action.reply'), () => this.#tell('reply', current())),
      markButton('react', words.t('action.react'), () => this.menu(current())),
      markButton('more', words.t('action.menu'), () => this.menu(current()), { 'aria-haspopup': 'dialog' }));
  }

  #show(target) {
    const row = target.closest('.row');
    if (!row || row === this.#bar.parentElement || this.#bar.contains(document.activeElement)) return;
    const entry = this.#entry(row);
    if (!entry || !this.#may(entry).menu) return;
    this.#bar.classList.toggle('bare', entry.kind !== 'say');
    row.append(this.#bar);
  }

  #entry(row) {
    return row && this.#log.view?.room.timeline.get(Number(row.dataset.seq));
  }

  #may(entry) {
    const said = entry.kind === 'say';
    const mine = this.#log.view.room.isMine(entry);
    const worded = WORDED.has(entry.kind);
    const other = worded && !mine;
    const spoken = SPOKEN.has(entry.kind);
    const { room, moderator } = this.#log.view;
    const consult = said && room.consult;
    const moderate = moderator && !isOfTwo(room.id) && (other || !!entry.hidden);
    return {
      menu: worded || moderate, persona: spoken && !isOfTwo(room.id), reply: said, react: said, link: worded,
      edit: said && mine && !entry.withdrawn, redact: said && mine && !entry.withdrawn, report: other,
      plan: consult && said && other, receipt: consult && mine !== consult.isAuthor,
      talk: said && other && !isOfTwo(room.id), moderate,
    };
  }

  #tell(act, entry) {
    tell(this.#log, 'act', { act, entry });
  }

  #context(event) {
    const entry = this.#entry(event.target.closest('.row'));
    // With a mouse the browser's own menu stays, for copying and looking words up.
    if (!entry || !this.#may(entry).menu || (event.button === 2 && event.pointerType === 'mouse')) return;
    event.preventDefault();
    this.menu(entry);
  }

  #pressed(target) {
    clearTimeout(this.#press);
    const entry = this.#entry(target.closest('.row'));
    if (entry && this.#may(entry).menu) this.#press = setTimeout(() => this.menu(entry), LONG_PRESS_MS);
  }
}
