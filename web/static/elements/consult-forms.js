// @ts-check
import { start } from '../parts/points.js';
import { words } from '../parts/words.js';
import { button, h, openDialog } from './dom.js';
import { once } from './fields.js';
import { FieldVerdict } from './field-verdict.js';
import { HeldText, notPatient } from './held-text.js';
import { authorOf } from './message-row.js';

const NAMES = 3;
const NAME_LENGTH = 120;
const WHY_LENGTH = 1000;
const TEXT_LENGTH = 2000;
const QUOTED = 160;

/** One's ranked opinion, sealed until the close. `suggestions` come from decided cases only. */
export function openBallot({ about, suggestions, opine, kept }) {
  const list = suggestions.length ? h('datalist', { id: 'suggestions' }, ...suggestions.map((value) => h('option', { value }))) : '';
  const ranks = Array.from({ length: NAMES }, (_, at) => line(`rank-${at + 1}`, words.t(`opine.rank.${at + 1}`), {
    maxlength: NAME_LENGTH, required: at === 0, autocomplete: 'off', ...(list && { list: 'suggestions' }),
  }));
  const why = new HeldText('why', words.t('opine.why'), { limit: WHY_LENGTH });
  const sealed = words.t(about.urgency === 'now' ? 'opine.sealed_now' : 'opine.sealed');
  ask('opine', [h('p', { class: 'asked', dir: 'auto' }, about.question), h('p', { class: 'hint' }, sealed), ...ranks, list, why], (data) => {
    const ranked = ranks.map((_, at) => data.get(`rank-${at + 1}`).trim()).filter(Boolean);
    return opine({ ranked, why: why.value, ...notPatient(why, ...ranks.map(({ verdict }) => verdict)) });
  }, { kept });
}

/** The author's word that ends the blind phase. */
export function openUnseal({ unseal }) {
  ask('unseal', [h('p', {}, words.t('unseal.lede'))], () => unseal());
}

/** Closing is one screen: what I did, and a tap on what helped. */
export function openDecide({ answers, decide, kept }) {
  const did = new HeldText('did', words.t('decide.did'), { limit: TEXT_LENGTH, required: true });
  const choices = answers.map(({ seq, by, text: said }) => h('label', { class: 'radio helped' },
    h('input', { type: 'checkbox', name: 'helped', value: String(seq) }), h('span', {}, h('span', { class: 'foot' }, authorOf({ by })), h('br'), start(said, QUOTED))));
  const helped = answers.length ? h('fieldset', {}, h('legend', {}, words.t('decide.helped')), ...choices) : '';
  ask('decide', [h('p', { class: 'hint' }, words.t('decide.lede')), did, helped], (data) => {
    const seqs = data.getAll('helped').map(Number);
    return decide({ did: did.value, ...notPatient(did), ...(seqs.length && { helped: seqs }) });
  }, { kept });
}

/** What came of it: asked for once, and may be waved off. */
export function openOutcome({ tell, kept }) {
  const came = new HeldText('text', words.t('outcome.text'), { limit: TEXT_LENGTH, required: true });
  const never = button(words.t('outcome.dismiss'), () => once(never, trouble, async () => {
    await tell({ dismiss: true });
    dialog.close();
  }), { class: 'quiet' });
  const { dialog, trouble } = ask('outcome', [h('p', { class: 'hint' }, words.t('outcome.lede')), came], () => tell({ text: came.value, ...notPatient(came) }), { kept, others: [never] });
}

/** Which names of the pool are one and the same, and which of them stands for all. */
export function openMerge({ labels, merge }) {
  const choices = labels.map((label) => h('label', { class: 'radio' }, h('input', { type: 'checkbox', name: 'labels', value: label }), h('span', { dir: 'auto' }, label)));
  const into = h('select', { id: 'field-into', name: 'into' }, ...labels.map((label) => h('option', { value: label }, label)));
  const stands = h('p', { class: 'labelled' }, h('label', { for: 'field-into' }, words.t('merge.into')), into);
  ask('merge', [h('p', { class: 'hint' }, words.t('merge.lede')), h('fieldset', {}, h('legend', {}, words.t('merge.labels')), ...choices), stands],
    (data) => merge({ into: data.get('into'), labels: data.getAll('labels') }));
}

/** The summary to be copied by hand, where the browser does not let us. */
export function openSummary({ text }) {
  const field = h('textarea', { rows: '12', readonly: true, id: 'summary' }, text);
  const dialog = openDialog(words.t('consult.summary'), { class: 'consult-form' }, h('h2', {}, words.t('consult.summary')), h('label', { for: 'summary' }, words.t('consult.summary_hint')), field,
    h('div', { class: 'choices' }, button(words.t('dialog.close'), () => dialog.close(), { class: 'primary' })));
  field.select();
}

/** Agreeing to a receipt of an answer: without names, and only when both sides agree. `done(ready)` follows. */
export function openReceipt({ entry, agree, done }) {
  const quote = h('blockquote', {}, h('p', { dir: 'auto' }, start(entry.text, QUOTED)));
  ask('receipt', [quote, h('p', {}, words.t('receipt.lede'))], async () => done((await agree()).ready));
}

/**
 * A dialog that asks, and stays until what it asks for is done. `act(data)` does it; what refuses it is said,
 * under the field that it is about where that is known. What is written is `kept` until then: a tap beside the
 * dialog closes it.
 */
function ask(what, fields, act, { kept = {}, others = [] } = {}) {
  const texts = fields.filter((field) => field instanceof HeldText);
  const trouble = h('div', { class: 'trouble', role: 'alert' });
  const yes = h('button', { type: 'submit', class: 'primary' }, words.t(`${what}.yes`));
  const no = button(words.t('dialog.cancel'), () => dialog.close(), { class: 'quiet' });
  const shown = fields.map((field) => (field instanceof HeldText ? field.element : field));
  const form = h('form', {}, h('h2', {}, words.t(`${what}.title`)), ...shown, trouble, h('div', { class: 'choices' }, yes, ...others, no));
  const dialog = openDialog(words.t(`${what}.title`), { class: `consult-form ${what}` }, form);
  restore(form, texts, kept);
  form.addEventListener('input', ({ target }) => target.type !== 'checkbox' && (kept[target.name] = target.value));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (isWanting(form, texts)) return;
    const done = await once(yes, trouble, async () => (await held(texts, () => act(new FormData(form))), true));
    if (!done) return;
    for (const name of Object.keys(kept)) delete kept[name];
    dialog.close();
  });
  return { dialog, trouble };
}

function restore(form, texts, kept) {
  for (const [name, value] of Object.entries(kept)) {
    const text = texts.find((one) => one.name === name) ?? form.elements[name];
    if (text) text.value = value;
  }
}

/** Says what is missing or too long, and goes there. */
function isWanting(form, texts) {
  const line = [...form.querySelectorAll('input[required]')].find(({ value }) => !value.trim());
  line?.focus();
  const empty = texts.find((text) => text.text.ariaRequired === 'true' && !text.value);
  if (empty) empty.refuse(words.t('form.write_something'));
  const over = texts.find((text) => text.isOver);
  if (over) over.focus();
  return Boolean(line || empty || over);
}

async function held(texts, act) {
  try {
    await act();
  } catch (refusal) {
    const text = refusal.code === 'held_privacy' && texts.find(({ name }) => name === refusal.field);
    if (text) text.hold(refusal.spans ?? []);
    throw refusal;
  }
}

function line(name, label, attributes) {
  const id = `field-${name}`;
  const input = h('input', { id, name, 'aria-describedby': `${id}-verdict`, ...attributes });
  const verdict = new FieldVerdict({ field: input, id: `${id}-verdict`, limit: NAME_LENGTH });
  input.addEventListener('input', () => verdict.typed());
  return Object.assign(h('div', { class: 'labelled' }, h('label', { for: id }, label), input, verdict.aside, verdict.voice, verdict.box), { verdict });
}
