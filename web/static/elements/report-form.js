// @ts-check
import { start } from '../parts/points.js';
import { words } from '../parts/words.js';
import { button, h, openDialog, write } from './dom.js';
import { KINDS } from './dialogs.js';
import { once } from './fields.js';
import { HeldText, notPatient } from './held-text.js';
import { authorOf } from './message-row.js';

const NOTE = 500;
const QUOTED = 240;
/** What is noted of it everybody may read in time. */
const SHOWN = 'dangerous_advice';

/** Asks what is wrong with a message, and says what follows. `report(given)` does it; it gets what goes with the command. */
export function openReport({ entry, report }) {
  const note = new HeldText('note', words.t('report.note'), { limit: NOTE, hint: words.t('report.note_hint') });
  const follows = h('p', { class: 'as-seen', role: 'status', hidden: true });
  const change = ({ target }) => {
    follows.hidden = false;
    note.verdict.bind(target.value === SHOWN);
    write(follows, words.t(`report.follows.${target.value}`));
  };
  const kinds = KINDS.map((kind) => h('label', { class: 'radio' }, h('input', { type: 'radio', name: 'kind', value: kind, required: true, on: { change } }), words.t(`report.kind.${kind}`)));
  ask('report', {
    fields: [quoted(entry), h('p', { class: 'foot' }, words.t('report.lede')), h('fieldset', {}, h('legend', {}, words.t('report.why')), ...kinds), follows],
    text: note,
    act: (data) => report({ kind: data.get('kind'), ...(note.value && { note: note.value }), ...notPatient(note) }),
  });
}

/** Asks for another moderator's look at what was decided about one's own words. `appeal(given)` does it. */
export function openAppeal({ appeal }) {
  const text = new HeldText('appeal', words.t('appeal.text'), { limit: NOTE, required: true, hint: words.t('appeal.hint') });
  ask('appeal', {
    fields: [h('p', {}, words.t('appeal.lede'))],
    text,
    act: () => appeal({ text: text.value, ...notPatient(text) }),
  });
}

/** A dialog that stays until what it asks for is done. */
function ask(what, { fields, text, act }) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const yes = h('button', { type: 'submit', class: 'primary' }, words.t(`${what}.yes`));
  const no = button(words.t('dialog.cancel'), () => dialog.close(), { class: 'quiet' });
  const form = h('form', { novalidate: true }, h('h2', {}, words.t(`${what}.title`)), ...fields, text.element, trouble, h('div', { class: 'choices' }, yes, no));
  const dialog = openDialog(words.t(`${what}.title`), { class: 'ask-about report-form' }, form);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const kind = form.elements.kind?.[0];
    if (kind && !data.get('kind')) return wanting(trouble, kind);
    if (text.text.ariaRequired === 'true' && !text.value) return text.refuse(words.t('form.write_something'));
    if (text.isOver) return text.focus();
    if (await once(yes, trouble, () => held(text, () => act(data)))) dialog.close();
    return undefined;
  });
}

function wanting(trouble, kind) {
  write(trouble, words.t('report.choose'));
  kind.focus();
}

async function held(text, act) {
  try {
    await act();
    return true;
  } catch (refusal) {
    if (refusal.code !== 'held_privacy') throw refusal;
    text.hold(refusal.spans ?? []);
    text.focus();
    return false;
  }
}

function quoted(entry) {
  return h('blockquote', {}, h('p', { class: 'foot' }, authorOf(entry)), h('p', { dir: 'auto' }, start(entry.text ?? entry.question ?? '', QUOTED)));
}
