// @ts-check
import { isConsult, isOfTwo, isTalk } from '../parts/talk.js';
import { newCid } from '../parts/wire.js';
import { words } from '../parts/words.js';
import { KINDS } from './dialogs.js';
import { button, h, openDialog, put, write } from './dom.js';
import { isHidden, placeName, quoteOf } from './entry-quote.js';
import { choice, once } from './fields.js';
import { HeldText, notPatient } from './held-text.js';
import { seconds } from './watch-table.js';

const NOTE = 500;
const MINUTES = ['60', '1440', '10080', '43200'];
const SLOW = [0, 5, 15, 30, 60, 300, 900];
const MINUTE_MS = 60_000;
/** What each act asks for besides. */
const ASKS = {
  hide: ['reason', 'note'], restore: [], warn: ['reason', 'note'], mute: ['reason', 'note', 'time', 'everywhere'],
  remove: ['reason', 'note', 'time'], hide_hour: ['reason', 'note'], pin: [], unpin: [], purge: ['reason', 'sure'],
  slow: ['reason', 'seconds'], freeze: ['reason'], thaw: [], close: ['reason'],
};
const GENTLE = new Set(['restore', 'pin', 'unpin', 'thaw', 'slow']);

/**
 * Asks what is done about an entry, its author or a room, why, and shows what those concerned will read.
 * `entry` as served; `row` of the board, for its mode; `reason`: the one that a report gives; `done(act)`.
 */
export function openActs({ doors, room, titleOf, entry, row, pinned = false, reason, done = () => {} }) {
  const form = new ActsForm({ doors, room, title: placeName(room, titleOf), entry, row, pinned, reason });
  const label = words.t(entry ? 'moderation.act_entry' : 'moderation.act_in', { room: form.title });
  const dialog = openDialog(label, { class: 'acts' }, form.build(label, () => dialog.close()));
  form.done = (act) => {
    dialog.close();
    done(act);
  };
}

class ActsForm {
  #cid = newCid();

  constructor(given) {
    Object.assign(this, given);
    this.acts = this.entry ? actsOn(this.entry, this.room, this.pinned) : actsIn(this.room, this.row?.mode);
    [this.chosen] = this.acts;
  }

  build(label, close) {
    this.effect = h('p', { class: 'effect', role: 'status' });
    this.note = new HeldText('act-note', words.t('moderation.note_author'), { limit: NOTE });
    this.parts = { seconds: waits(this.row?.mode), time: time(), everywhere: everywhere(), reason: reasons(this.reason), note: this.note.element, sure: sure() };
    this.reads = h('div', { class: 'reads', role: 'status', 'aria-label': words.t('moderation.reads') });
    this.said = h('p', { class: 'trouble', role: 'alert' });
    this.yes = h('button', { type: 'submit' });
    this.form = h('form', {},
      h('h2', {}, label),
      this.entry ? quoteOf(this.entry) : '', isHidden(this.entry) ? this.#hidden() : '',
      this.#choices(), this.effect, ...Object.values(this.parts), this.reads, this.said,
      h('div', { class: 'choices' }, this.yes, button(words.t('dialog.cancel'), close, { class: 'quiet' })));
    this.form.addEventListener('input', () => this.#changed());
    this.form.addEventListener('submit', (event) => this.#submit(event));
    this.#changed();
    return this.form;
  }

  /** What is hidden, for who is to decide about it. */
  #hidden() {
    const trouble = h('p', { class: 'trouble', role: 'alert' });
    const read = button(words.t('moderation.read_hidden'), () => once(read, trouble, async () => {
      const { words: text } = await this.doors.get(`/api/rooms/${this.room}/hidden/${this.entry.seq}`);
      const said = h('blockquote', { tabindex: '-1' }, h('p', { class: 'text', dir: 'auto' }, text));
      read.replaceWith(said);
      said.focus();
    }), { class: 'quiet' });
    return h('div', { class: 'hidden-words' }, read, trouble);
  }

  #choices() {
    const radio = (act) => h('label', { class: 'choose' }, h('input', { type: 'radio', name: 'act', value: act, checked: act === this.chosen }), h('span', {}, words.t(`moderation.do.${act}`)));
    return h('fieldset', { class: 'acts-choice' }, h('legend', {}, words.t('moderation.what')), ...this.acts.map(radio));
  }

  #changed() {
    this.#cid = newCid();
    this.chosen = this.form.elements.act.value;
    const asked = ASKS[this.chosen];
    for (const [name, part] of Object.entries(this.parts)) {
      part.hidden = !asked.includes(name);
      for (const field of part.querySelectorAll('input, select, textarea')) field.disabled = part.hidden;
    }
    // Nobody is kept out of a room without an end.
    for (const option of this.form.elements.minutes.options) if (option.value === 'none') option.hidden = option.disabled = this.chosen === 'remove';
    if (this.chosen === 'remove' && this.form.elements.minutes.value === 'none') this.form.elements.minutes.value = MINUTES[0];
    write(this.effect, words.t(`moderation.effect.${this.chosen}`));
    write(this.yes, words.t(`moderation.do.${this.chosen}`));
    this.yes.className = GENTLE.has(this.chosen) ? 'primary' : 'danger';
    this.#preview();
  }

  #preview() {
    const told = readBy(this.chosen, this.#values(), this.title);
    const now = JSON.stringify(told);
    if (this.shown === now) return;
    this.shown = now;
    put(this.reads, 'hidden', !told.length);
    this.reads.replaceChildren(h('h3', {}, words.t('moderation.reads')), h('dl', {}, ...told.flatMap(([who, said]) => [h('dt', {}, words.t(`moderation.reader.${who}`)), h('dd', { dir: 'auto' }, said)])));
  }

  #values() {
    const { reason, minutes, everywhere: all, seconds: wait } = Object.fromEntries(new FormData(this.form));
    const added = this.parts.note.hidden ? '' : this.note.value;
    return { reason, note: added, minutes: minutes && minutes !== 'none' ? Number(minutes) : undefined, everywhere: all ? true : undefined, seconds: wait === undefined ? undefined : Number(wait) };
  }

  #submit(event) {
    event.preventDefault();
    const { note: added, ...values } = this.#values();
    const [act, on] = { unpin: ['pin', false], thaw: ['freeze', false] }[this.chosen] ?? [this.chosen];
    const body = { act, cid: this.#cid, ...values, ...(added && { note: added, ...notPatient(this.note) }), ...(on === false && { on }), ...(this.entry && { seq: this.entry.seq }) };
    if (added && this.note.isOver) return this.note.focus();
    return once(this.yes, this.said, () => this.#send(body));
  }

  async #send(body) {
    try {
      await this.doors.post(`/api/rooms/${this.room}/moderate`, body);
      this.done(this.chosen);
    } catch (refusal) {
      if (refusal.code !== 'held_privacy') throw refusal;
      this.note.hold(refusal.spans ?? []);
      this.note.focus();
    }
  }
}

/** What can be done about an entry, as it stands, and about whoever wrote it. */
function actsOn(entry, room, pinned) {
  const gone = entry.kind === 'tombstone';
  const out = gone ? (isHidden(entry) ? ['restore'] : []) : ['hide'];
  const there = gone && !isHidden(entry) ? [] : ['warn', 'mute', ...(isOfTwo(room) ? [] : ['remove', 'hide_hour'])];
  const board = gone || isOfTwo(room) ? [] : [pinned ? 'unpin' : 'pin'];
  const thread = isConsult(room) || isTalk(room) ? ['close'] : [];
  return [...out, ...there, ...board, ...thread, ...(gone && !isHidden(entry) ? [] : ['purge'])];
}

function actsIn(room, mode = {}) {
  return ['slow', mode.frozen ? 'thaw' : 'freeze', ...(isConsult(room) ? ['close'] : [])];
}

/** [[who, what they read]]: the very words that the act will be told in. */
function readBy(act, { reason, note: added, minutes, everywhere: all, seconds: wait }, room) {
  const why = reason ? words.t(`reason.${reason}`) : '…';
  const until = minutes ? words.exact(Date.now() + minutes * MINUTE_MS) : '';
  const told = (name) => (words.has(`notice.${name}`) ? [['author', [words.t(`notice.${name}`, { room, reason: why, until }), added].filter(Boolean).join(' ')]] : []);
  const everyone = (text) => [['all', text]];
  const acts = {
    hide: () => [...everyone(words.t('row.hidden_because', { why })), ...told('hidden')],
    hide_hour: () => [...everyone(words.t('row.hidden_because', { why })), ...told('hidden')],
    purge: () => [...everyone(words.t('row.hidden_because', { why })), ...told('hidden')],
    warn: () => told('warned'),
    mute: () => told(`muted${all ? '_everywhere' : ''}${minutes ? '' : '_open'}`),
    remove: () => told('removed'),
    slow: () => everyone(wait ? words.count('room.slow', wait) : words.t('moderation.slow_over')),
    freeze: () => everyone(words.t('room.frozen_why')),
  };
  return acts[act]?.() ?? [];
}

function reasons(given) {
  const radios = KINDS.map((reason) => h('label', { class: 'radio' }, h('input', { type: 'radio', name: 'reason', value: reason, required: true, checked: reason === given }), words.t(`report.kind.${reason}`)));
  return h('fieldset', { class: 'reasons' }, h('legend', {}, words.t('moderation.why')), ...radios);
}

function time() {
  const options = [...MINUTES, 'none'].map((minutes) => [minutes, words.t(`mute.minutes.${minutes}`)]);
  return choice('minutes', words.t('mute.how_long'), options);
}

function everywhere() {
  return h('label', { class: 'radio' }, h('input', { type: 'checkbox', name: 'everywhere' }), words.t('mute.everywhere'));
}

function waits({ slow = 0 } = {}) {
  const known = SLOW.includes(slow) ? SLOW : [...SLOW, slow].sort((one, other) => one - other);
  const options = known.map((wait) => [String(wait), wait ? seconds(wait) : words.t('moderation.slow_none')]);
  const field = choice('seconds', words.t('moderation.slow_wait'), options);
  field.querySelector('select').value = String(slow || 30);
  return field;
}

function sure() {
  return h('label', { class: 'radio' }, h('input', { type: 'checkbox', name: 'sure', required: true }), words.t('moderation.sure'));
}
