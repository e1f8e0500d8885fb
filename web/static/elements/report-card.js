// @ts-check
import { addressOf } from '../parts/router.js';
import { isOfTwo } from '../parts/talk.js';
import { words } from '../parts/words.js';
import { button, h, icon, put, write } from './dom.js';
import { isHidden, placeName, quoteOf } from './entry-quote.js';
import { once } from './fields.js';
import { HeldText, notPatient } from './held-text.js';
import { when } from './when.js';

const NOTE = 1000;
let made = 0;

/**
 * One open report, for as long as it is open: what was said, whose turn it is, and what to do. What is read or done is
 * asked of `doors`; `again()` looks at the queue, `act(report)` opens the acts.
 */
export class ReportCard {
  #shown = {};

  constructor({ doors, titleOf, again, act, say }) {
    Object.assign(this, { doors, titleOf, again, act, say });
    this.head = h('p', { class: 'report-head' });
    this.said = h('div', { class: 'report-said' });
    this.bar = h('div', { class: 'claim' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.around = h('div', { class: 'around' });
    this.context = details('moderation.context', () => this.#look(), this.around);
    this.noted = h('ul', { class: 'report-notes' });
    this.note = new HeldText(`report-note-${(made += 1)}`, words.t('moderation.note_label'), { limit: NOTE, required: true });
    this.notes = details('moderation.notes', () => this.#notes(), h('div', { class: 'noting' }, this.noted, this.#noting()));
    this.element = h('li', { class: 'report', tabindex: '-1' }, this.head, this.said, this.bar, this.trouble, this.context, this.notes);
  }

  show(report) {
    this.report = report;
    const { kind, room, at, urgent, same, weight, note, event, evidence, claimed, claimed_until: until } = report;
    this.#once('head', [kind, room, at, urgent, same, weight], () => this.#headWith());
    this.#once('said', [note, event, evidence], () => this.said.replaceChildren(...this.#quotes()));
    this.#once('bar', [claimed, until, event?.kind, event?.hidden, event?.caution], () => this.#barWith());
    put(this.element, 'aria-label', [...this.head.children].map((each) => each.textContent).join(', '));
    this.notes.hidden = this.context.hidden = claimed !== 'mine';
    this.element.classList.toggle('urgent', Boolean(urgent));
  }

  /** What each key does with this report. */
  keys() {
    const press = (name) => () => this.bar.querySelector(`[data-do="${name}"]`)?.click();
    return { c: press('claim'), a: press('act'), u: press('upheld'), d: press('dismissed'), x: () => !this.context.hidden && this.context.firstChild.click() };
  }

  #once(part, what, draw) {
    const now = JSON.stringify(what);
    if (this.#shown[part] === now) return;
    this.#shown[part] = now;
    draw();
  }

  #headWith() {
    const { kind, room, at, urgent, same, weight } = this.report;
    const beside = [same ? words.count('moderation.same', same) : '', weight === 2 ? words.t('moderation.weight.2') : weight === 0 ? words.t('moderation.weight.0') : ''].filter(Boolean);
    this.head.replaceChildren(
      h('b', {}, urgent ? icon('warn') : '', words.coded('report.kind', kind)),
      urgent ? h('span', { class: 'pressing-word' }, words.t('moderation.is_urgent')) : '',
      h('span', {}, placeName(room, this.titleOf)), when(at), ...beside.map((each) => h('span', { class: 'foot' }, each)));
  }

  #quotes() {
    const { note, event, evidence } = this.report;
    return [
      note ? h('p', { class: 'note' }, words.t('moderation.note'), ' ', h('q', { dir: 'auto' }, note)) : '',
      quoteOf(event),
      evidence && evidence !== event?.text ? h('div', { class: 'evidence' }, h('p', { class: 'foot' }, words.t('moderation.evidence')), h('blockquote', {}, h('p', { class: 'text', dir: 'auto' }, evidence))) : '',
    ];
  }

  #barWith() {
    const inside = this.bar.contains(document.activeElement);
    const { claimed, claimed_until: until, room, seq, event } = this.report;
    const time = until ? words.hour(until) : '';
    const place = isOfTwo(room) ? '' : h('a', { class: 'to-place', href: addressOf({ name: 'room', room, seq }) }, words.t('moderation.place'));
    if (claimed === 'other') this.bar.replaceChildren(h('p', { class: 'held-by' }, icon('wait'), words.t('moderation.claimed_other', { until: time })), h('div', { class: 'choices' }, place));
    else if (claimed === 'mine') this.bar.replaceChildren(...this.#mine(time, place, event));
    else this.bar.replaceChildren(h('div', { class: 'choices' }, this.#do('claim', 'primary'), place));
    if (inside) (this.bar.querySelector('button') ?? this.element).focus();
  }

  #mine(until, place, event) {
    const gone = event?.kind === 'tombstone' && !isHidden(event);
    const hint = event?.hidden?.pending ? 'moderation.pending_hint' : event?.caution ? 'moderation.caution_hint' : '';
    return [
      hint ? h('p', { class: 'hint' }, words.t(hint)) : '',
      h('div', { class: 'choices' },
        gone ? '' : button(words.t('moderation.act'), () => this.act(this.report), { class: 'primary', data: { do: 'act' } }),
        this.#do('upheld', gone ? 'primary' : ''), this.#do('dismissed', ''), place),
      h('p', { class: 'held-by' }, icon('check'), words.t('moderation.claimed_mine', { until }), ' ', this.#do('claim', 'quiet', 'moderation.claim_more'), this.#do('release', 'quiet')),
    ];
  }

  #do(name, look, key = `moderation.${name}`) {
    return button(words.t(key), ({ currentTarget }) => this.#ask(currentTarget, name), { class: look, data: { do: name } });
  }

  #ask(control, name) {
    const closes = name === 'upheld' || name === 'dismissed';
    return once(control, this.trouble, async () => {
      try {
        await this.doors.post(`${this.#path}/${closes ? 'close' : name}`, closes ? { outcome: name } : {});
        this.say(words.t(closes ? 'moderation.closed' : `moderation.${name}_done`));
      } finally {
        await this.again();
      }
    });
  }

  get #path() {
    return `/api/reports/${encodeURIComponent(this.report.id)}`;
  }

  async #look() {
    write(this.trouble, '');
    try {
      const { events } = await this.doors.get(`${this.#path}/context`);
      this.around.replaceChildren(...events.map((event) => quoteOf(event, { placed: true, marked: event.seq === this.report.seq })));
    } catch (refusal) {
      this.around.replaceChildren(h('p', { class: 'trouble' }, words.refusal(refusal)));
    }
  }

  async #notes() {
    try {
      const { notes } = await this.doors.get(`${this.#path}/notes`);
      this.noted.replaceChildren(...(notes.length ? notes.map(({ text, at }) => h('li', {}, h('p', { dir: 'auto' }, text), h('p', { class: 'foot' }, when(at)))) : [h('li', { class: 'none' }, words.t('moderation.notes_none'))]));
    } catch (refusal) {
      this.noted.replaceChildren(h('li', { class: 'trouble' }, words.refusal(refusal)));
    }
  }

  async #keepNote() {
    try {
      await this.doors.post(`${this.#path}/notes`, { text: this.note.value, ...notPatient(this.note) });
    } catch (refusal) {
      if (refusal.code !== 'held_privacy') throw refusal;
      return this.note.hold(refusal.spans ?? []);
    }
    this.note.value = '';
    return this.#notes();
  }

  #noting() {
    const keep = h('button', { type: 'submit' }, words.t('moderation.note_keep'));
    const trouble = h('p', { class: 'trouble', role: 'alert' });
    const form = h('form', { novalidate: true }, this.note.element, trouble, keep);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!this.note.value) return this.note.refuse(words.t('form.write_something'));
      return this.note.isOver ? this.note.focus() : once(keep, trouble, () => this.#keepNote());
    });
    return form;
  }
}

/** What is fetched when it is opened, each time. */
function details(key, opened, ...children) {
  const made = h('details', {}, h('summary', {}, words.t(key)), ...children);
  made.addEventListener('toggle', () => made.open && opened());
  return made;
}
