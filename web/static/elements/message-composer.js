// @ts-check
import { start } from '../parts/points.js';
import { length } from '../parts/spans.js';
import { words } from '../parts/words.js';
import { badge } from './message-row.js';
import { button, byTouch, h, icon, markButton, put, tell, write } from './dom.js';
import { FieldVerdict } from './field-verdict.js';
import { SlowWait } from './slow-wait.js';

const NEAR_LIMIT = 500;
const QUOTED = 100;

/**
 * Where the doctor writes. A mirror behind the text gives the field its height and carries the
 * guard's marks under the very words. Tells: `say` {text, replyTo, notPatient}, `amend` {seq, text, notPatient},
 * `draft` {text}, `face`, `about`, `poll`, `last` (edit what I said last). In a consult `sort` is where one
 * chooses between a warning and a question, and `sealed` whether others' opinions are held back.
 */
export class MessageComposer extends HTMLElement {
  #limit = 8000;
  #context = null;
  #aside = '';

  connectedCallback() {
    if (this.firstChild) return;
    this.about = h('div', { class: 'about', hidden: true });
    this.mirror = h('div', { class: 'mirror', 'aria-hidden': 'true' });
    // What is typed before it is known for which room would be lost.
    this.text = h('textarea', { disabled: true, rows: '1', id: 'write', autocomplete: 'off', 'aria-describedby': 'plain thin slow verdict count' });
    this.verdict = new FieldVerdict({ field: this.text, mirror: this.mirror, id: 'verdict', limit: this.#limit });
    this.slow = new SlowWait('slow');
    this.label = h('label', { for: 'write', class: 'unseen' });
    this.send = markButton('send', words.t('compose.send'), () => this.#submit(), { class: 'primary' });
    this.count = h('p', { class: 'count', id: 'count', role: 'status' });
    this.face = button('', () => tell(this, 'face'), { class: 'face' });
    this.thin = h('p', { class: 'thin', id: 'thin', hidden: true });
    this.plain = h('p', { class: 'plain', id: 'plain' }, words.t('compose.plain'));
    this.lounge = button(h('span', {}, words.t('about.open')), () => tell(this, 'about'), { class: 'quiet', mark: 'help', title: words.t('about.open') });
    this.poll = button(h('span', {}, words.t('poll.ask')), () => tell(this, 'poll'), { class: 'quiet', mark: 'poll', title: words.t('poll.ask') });
    this.field = h('div', { class: 'field' }, this.mirror, this.text);
    this.append(this.about, this.verdict.box, h('div', { class: 'write' }, this.label, this.field, this.send), h('div', { class: 'under' }, this.face, this.verdict.aside, this.count), this.verdict.voice, this.slow.element, this.thin, h('div', { class: 'under ever' }, this.plain, this.poll, this.lounge));
    this.text.addEventListener('input', () => this.#typed());
    this.text.addEventListener('keydown', (event) => this.#key(event));
    this.text.addEventListener('scroll', () => (this.mirror.scrollTop = this.text.scrollTop), { passive: true });
  }

  get value() {
    return this.text.value;
  }

  /** Ready for a room, empty: the draft is offered when it is known whose it is. `limit` in code points. */
  open(limit) {
    this.#limit = this.verdict.limit = limit;
    this.#context = null;
    this.about.hidden = true;
    this.#set('');
  }

  /**
   * `label` asks for what is written; `face` {name, badge}, `fixed` when there is no other; `closed` says why nothing
   * can be written; of the `room` its mode, the crowd among whom one is hidden, and a face worn once are shown.
   */
  show({ label: asks, face, room, fixed, closed }) {
    const { crowd, once } = room;
    this.room = room;
    const label = this.sort?.label ?? asks;
    write(this.label, label);
    const shown = closed ? '' : label;
    if (this.text.placeholder !== shown) this.text.placeholder = shown;
    this.plain.classList.toggle('closed', !!closed);
    this.text.disabled = this.send.disabled = !!closed;
    write(this.plain, closed || words.t('compose.plain'));
    this.slowed();
    this.thin.hidden = !crowd?.thin;
    if (crowd?.thin) write(this.thin, words.count('compose.thin', crowd.members));
    this.face.hidden = !face;
    this.poll.hidden = !face || !!fixed || !!closed || !!this.sealed;
    this.face.disabled = !!fixed;
    const others = words.t(once ? 'compose.others_see_once' : 'compose.others_see');
    const seen = face && [others, face.name, words.badge(face.badge)].join(' ');
    if (!face || this.face.dataset.seen === seen) return;
    this.face.dataset.seen = seen;
    this.face.replaceChildren(icon('face'), h('span', {}, `${others} `, h('b', {}, face.name), ' · ', badge(face)), h('span', { class: 'change' }, words.t('compose.change')));
  }

  /** The draft kept for this room, read once it is known whose it is. */
  offer(draft) {
    if (draft && !this.text.value) this.#put(draft);
  }

  replyTo(entry, author) {
    this.#frame({ kind: 'reply', seq: entry.seq }, words.t('compose.replying', { who: author }), start(entry.text, QUOTED));
    this.focus();
  }

  edit(entry) {
    if (this.#context?.kind !== 'edit') this.#aside = this.text.value;
    this.#frame({ kind: 'edit', seq: entry.seq }, words.t('compose.editing'), '');
    this.#put(entry.text);
    this.focus();
  }

  /** Text that the guard held comes back, with its marks: nothing is lost. */
  hold({ text, spans, why }) {
    const rest = this.#context?.kind === 'edit' ? '' : this.text.value.trim();
    this.#put(rest ? `${text}\n\n${rest}` : text);
    if (spans.length) this.verdict.hold({ spans, why, send: rest ? null : () => this.#submit() });
    else if (why) this.verdict.refuse(why);
    this.focus();
  }

  /** In a slow room: how long until the next message goes out. */
  slowed() {
    this.slow.show(this.room, this.text.disabled);
  }

  /** The edit was taken: back to what was being written before. */
  done() {
    this.#leave();
  }

  focus() {
    this.text.focus();
  }

  #submit() {
    const text = this.text.value.trim();
    if (!text || length(text) > this.#limit || this.text.disabled) return;
    const context = this.#context;
    const { notPatient } = this.verdict;
    if (context?.kind === 'edit') return tell(this, 'amend', { seq: context.seq, text, notPatient });
    this.#put('');
    this.#leave();
    tell(this, 'say', { text, replyTo: context?.seq, sort: this.sort?.value, ...(notPatient && { notPatient }) });
    this.focus();
  }

  #typed() {
    this.#counted();
    this.verdict.typed();
    if (this.#context?.kind !== 'edit') tell(this, 'draft', { text: this.text.value });
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey && !byTouch()) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === 'Escape' && this.#context) {
      event.preventDefault();
      this.#leave();
    } else if (event.key === 'ArrowUp' && !this.text.value) {
      event.preventDefault();
      tell(this, 'last');
    }
  }

  #frame(context, title, quoted) {
    this.#context = context;
    const close = markButton('close', words.t('compose.cancel'), () => this.#leave());
    this.about.replaceChildren(h('p', {}, h('b', {}, title), quoted ? ` ${quoted}` : ''), close);
    this.about.hidden = false;
    put(this.send, 'aria-label', words.t(context.kind === 'edit' ? 'compose.save' : 'compose.send'));
  }

  #leave() {
    const edited = this.#context?.kind === 'edit';
    this.#context = null;
    this.about.hidden = true;
    put(this.send, 'aria-label', words.t('compose.send'));
    if (edited) this.#put(this.#aside);
    if (edited) this.focus();
  }

  #set(text) {
    this.text.value = text;
    this.#counted();
    this.verdict.clear();
  }

  #put(text) {
    this.#set(text);
    if (this.#context?.kind !== 'edit') tell(this, 'draft', { text });
  }

  #counted() {
    const left = this.#limit - length(this.text.value);
    const over = left < 0;
    const said = left > NEAR_LIMIT ? '' : words.count(over ? 'compose.over' : 'compose.left', Math.abs(left));
    write(this.count, said);
    this.count.classList.toggle('over', over);
    this.verdict.over = over;
    put(this.send, 'aria-disabled', over ? 'true' : null);
  }

}

customElements.define('message-composer', MessageComposer);
