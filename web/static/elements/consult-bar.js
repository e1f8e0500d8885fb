// @ts-check
import { Consult } from '../parts/consult.js';
import { words } from '../parts/words.js';
import { button, h, icon, put, write } from './dom.js';
import { once } from './fields.js';
import { later } from './later.js';
import { closesIn } from './consult-figures.js';
import { opinion } from './consult-opinion.js';
import { besideOf } from './consult-say.js';
import { makeSort } from './consult-sort.js';

const STEP_MS = 20_000;
const KEPT_MS = 60_000;
const SHORT = 4;

/**
 * Under a consult's log, always in sight: how it stands and the one thing to do next. At the end of the log it
 * puts what else is hers to see and do. It makes the log show corrections and licences, and the composer ask
 * what sort of thing is written while opinions are sealed.
 */
export class ConsultBar extends HTMLElement {
  #drawn = '';
  #clock = 0;
  #unlisten = () => {};

  connectedCallback() {
    this.#clock ||= setInterval(() => this.#time(), STEP_MS);
    if (this.firstChild) return;
    this.setAttribute('role', 'region');
    this.setAttribute('aria-label', words.t('consult.bar'));
    // Read out when it changes; how long is left changes each minute, and is not.
    this.standing = h('span', { role: 'status' });
    this.left = h('span', {});
    this.next = h('div', { class: 'choices' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.said = h('p', { class: 'said', role: 'status' });
    this.changes = h('p', { class: 'changes', role: 'status', hidden: true });
    this.own = h('p', { class: 'own-ballot', hidden: true });
    this.early = h('section', { class: 'early', hidden: true, 'aria-label': words.t('consult.early') });
    this.others = h('div', { class: 'choices' });
    this.panel = h('section', { class: 'consult-panel', 'aria-label': words.t('consult.panel') }, h('p', { class: 'informal' }, words.t('consult.informal')), this.own, this.others, this.early);
    this.append(this.changes, h('p', { class: 'consult-state' }, this.standing, this.left), this.next, this.trouble, this.said);
  }

  disconnectedCallback() {
    clearInterval(this.#clock);
    this.#clock = 0;
    this.#unlisten();
    this.consult?.leave();
    this.panel.remove();
  }

  /** `view` as of the log; `around` is the room's {log, composer, changed()}. */
  open(view, around) {
    this.#unlisten();
    this.consult?.leave();
    Object.assign(this, { view, around, begun: false });
    const { room, act } = view;
    this.consult = room.consult ??= new Consult({ room, act });
    this.consult.listen(() => this.#redraw());
    const ends = [
      room.changed.on(({ what, events = [], live }) => {
        if (what === 'entries' && live) for (const event of events) this.consult.heard(event);
      }),
      this.#closesAfter(),
    ];
    this.#unlisten = () => ends.forEach((end) => end());
    this.sort = makeSort((isOpen) => {
      this.classList.toggle('writing', isOpen);
      this.around.changed();
    });
    around.log.after.replaceChildren(this.panel);
    for (const line of [this.trouble, this.said]) write(line, '');
    this.#redraw();
  }

  /** The room or its log has changed. */
  changed() {
    this.consult.follow();
    if (this.#key() !== this.#drawn) this.#redraw();
  }

  /** Opens the composer for a question or a warning, while it is only opened on purpose. */
  write(sort = 'question') {
    if (!this.around.composer.sort) return;
    this.sort.open(sort);
    this.around.composer.focus();
  }

  /** Agrees to a receipt of an answer; fetches it once both sides agree. */
  receipt(entry) {
    const agree = () => this.view.act('receipt', { seq: entry.seq });
    const done = async (ready) => {
      if (ready) save(await this.view.doors.text(`${this.#path}/receipts/${entry.seq}`));
      write(this.said, words.t(ready ? 'receipt.ready' : 'receipt.waiting'));
    };
    return this.#form('openReceipt', { entry, agree, done });
  }

  #key() {
    const { consult, view } = this;
    return [view.room.id, view.room.state, view.room.mode.frozen, consult.isAuthor, JSON.stringify(consult.state), !!consult.last('consult.reveal')].join();
  }

  #redraw() {
    const { consult, view, around } = this;
    if (!consult.case) return this.consult.follow();
    this.#drawn = this.#key();
    view.beside = besideOf(consult);
    this.#time();
    this.#showOwn();
    this.#showChanges();
    this.#showEarly();
    const [next, others] = this.#acts();
    fill(this.next, next);
    fill(this.others, others);
    this.#seal();
    for (const part of around.log.querySelectorAll('consult-case, consult-pool, consult-end')) if (part.given) part.show?.(...part.given);
    this.#begin();
    around.log.changed();
    consult.follow();
  }

  /** Who opens a short case has it to read before anything else. */
  #begin() {
    const { consult, view, around } = this;
    if (this.begun || view.room.state !== 'live' || !consult.known) return;
    this.begun = true;
    if (!location.hash && consult.mayOpine && !consult.isAuthor && view.room.timeline.latest(SHORT).length < SHORT) around.log.toTop();
  }

  #time() {
    if (!this.consult?.case) return;
    const { closes, state } = this.consult.case;
    write(this.standing, standingWords(this.consult));
    write(this.left, state.phase === 'open' ? ` · ${closesIn(closes)}` : '');
  }

  /** While opinions are sealed, what others write is a warning or a question; the composer waits to be asked for. */
  #seal() {
    const { composer } = this.around;
    const { isAuthor, isSealed } = this.consult;
    const sort = isSealed && !isAuthor ? this.sort : null;
    if (composer.sort === sort && composer.sealed === isSealed) return;
    composer.sort?.remove();
    [composer.sort, composer.sealed] = [sort, isSealed];
    if (sort) composer.querySelector('.write').before(sort);
    if (sort && composer.value.trim()) sort.open(sort.value);
    this.around.changed();
  }

  /** Once it is said, the composer goes back to where it was. */
  #closesAfter() {
    const { composer } = this.around;
    const close = () => this.sort.close();
    composer.addEventListener('say', close);
    return () => composer.removeEventListener('say', close);
  }

  #showOwn() {
    const { own } = this.consult;
    this.own.hidden = !own;
    if (!own) return;
    const ranked = own.ranked.map((one, at) => `${words.numbers.format(at + 1)}. ${one}`).join(' ');
    this.own.replaceChildren(icon('check'), h('span', {}, `${words.t('opine.own')} `, h('b', { dir: 'auto' }, ranked)));
  }

  #showChanges() {
    const { unseen } = this.consult;
    this.changes.hidden = !unseen.length;
    if (!unseen.length) return this.changes.replaceChildren();
    const link = h('a', { href: `${this.view.address}#${unseen[0]}` }, words.t('consult.changes_show'));
    this.changes.replaceChildren(icon('warn'), h('span', {}, words.count('consult.changes', unseen.length), ' ', link));
  }

  /** The author of a *now* case reads each opinion at once; everybody else stays blind. */
  #showEarly() {
    const { early, isSealed, isAuthor } = this.consult;
    this.early.hidden = !(isSealed && isAuthor && early.length);
    if (this.early.hidden) return this.early.replaceChildren();
    this.early.replaceChildren(
      h('h3', {}, words.count('consult.early', early.length)),
      h('p', { class: 'hint' }, words.t('consult.early_only')),
      h('ol', { class: 'opinions' }, ...early.map((one) => h('li', {}, opinion(one, this.consult.case.by)))));
  }

  /** What is always in sight, with the next act as the only filled button; and what stands at the end of the log. */
  #acts() {
    const { consult } = this;
    // Where a moderator lets nothing be added, nothing is offered.
    const { frozen } = this.view.room.mode;
    const [next, others] = frozen ? [[], []] : consult.isAuthor ? this.#authorActs() : this.#adviserActs();
    const result = consult.last('consult.reveal');
    const rest = [
      ...others,
      !frozen && consult.own && consult.isSealed && this.#act('opine.back', () => consult.unopine()),
      place(this.view, 1, 'consult.to_case'),
      result && place(this.view, result.seq, 'consult.to_result'),
      !consult.isSealed && this.#act('consult.copy', () => this.#copy()),
    ];
    return [next.filter(Boolean), rest.filter(Boolean)];
  }

  #authorActs() {
    const { consult } = this;
    const act = (op) => (fields) => this.view.act(op, fields);
    const unseal = (look) => this.#act('unseal.open', () => this.#form('openUnseal', { unseal: act('unseal') }), look);
    const decide = (look) => this.#act('decide.open', () => this.#form('openDecide', { answers: consult.answers, decide: act('decide') }), look);
    const outcome = () => this.#act('outcome.open', () => this.#form('openOutcome', { tell: act('outcome') }), 'primary');
    if (consult.isSealed) {
      const has = consult.state.opinions > 0 || consult.early.length > 0;
      return [[unseal(has ? 'primary' : ''), consult.early.length > 0 && decide('')], [consult.mayOpine && this.#opine('quiet')]];
    }
    const next = { revealed: () => decide('primary'), decided: outcome }[consult.phase];
    return [next ? [next()] : [], []];
  }

  #adviserActs() {
    const { consult } = this;
    if (!consult.isSealed) return [[], []];
    const say = (sort, mark) => button(words.t(`sort.${sort}.short`), () => this.write(sort), { class: `say-${sort}`, mark, title: words.t(`sort.${sort}`) });
    const looking = consult.mayOpine && this.#act(consult.looking ? 'looking.off' : 'looking.on', () => this.#look());
    if (looking) put(looking, 'aria-pressed', String(!!consult.looking));
    return [[consult.mayOpine && this.#opine('primary'), say('question', 'help'), say('warning', 'warn')], [looking]];
  }

  #opine(look) {
    const { consult } = this;
    const given = () => ({ about: consult.case, suggestions: consult.suggestions, opine: (ballot) => consult.opine(ballot) });
    return this.#act('opine.open', () => this.#form('openBallot', given()), `opine ${look}`);
  }

  async #look() {
    const { consult } = this;
    await this.view.act('looking', { on: !consult.looking });
    consult.looking = !consult.looking;
    this.#redraw();
  }

  async #copy() {
    const text = await this.view.doors.text(`${this.#path}/summary`);
    try {
      await navigator.clipboard.writeText(text);
      write(this.said, words.t('consult.copied'));
    } catch {
      await this.#form('openSummary', { text });
    }
  }

  get #path() {
    return `/api/consults/${this.view.room.id.split('/')[1]}`;
  }

  async #form(name, given) {
    const forms = await later('consult-forms');
    forms[name]({ ...given, kept: (this.consult.kept[name] ??= {}) });
  }

  #act(key, act, look = 'quiet') {
    return button(words.t(key), ({ currentTarget }) => this.#once(currentTarget, act), { class: look });
  }

  #once(control, act) {
    write(this.said, '');
    return once(control, this.trouble, act);
  }
}

/** Leaves what is the same where it is, with the focus that it may have. */
function fill(box, controls) {
  const same = controls.length === box.childElementCount && controls.every((one, at) => one.isEqualNode(box.children[at]));
  if (!same) box.replaceChildren(...controls);
}

function save(text) {
  const link = h('a', { href: URL.createObjectURL(new Blob([text], { type: 'application/json' })), download: 'lounge-receipt.json' });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}

function place({ address }, seq, key) {
  return h('a', { class: 'button quiet', href: `${address}#${seq}` }, words.t(key));
}

/** "Now · 4 of 9 opinions in": never a hint of what they say. */
function standingWords({ case: { enough, urgency, state }, early }) {
  const { phase, withdrawn } = state;
  const n = Math.max(state.opinions, early.length);
  const told = n ? words.count('consult.in', n, { of: enough }) : words.t('consult.none_in');
  const sealed = [words.t(`case.urgency.${urgency}`), told];
  const open = [words.t(`consult.phase.${phase}`), words.count('case.opinions', state.opinions), withdrawn && words.count('case.withdrawn', withdrawn)];
  return (phase === 'open' ? sealed : open).filter(Boolean).join(' · ');
}

customElements.define('consult-bar', ConsultBar);
