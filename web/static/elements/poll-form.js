// @ts-check
import { words } from '../parts/words.js';
import { button, h, openDialog } from './dom.js';
import { once } from './fields.js';
import { FieldVerdict } from './field-verdict.js';
import { HeldText, notPatient } from './held-text.js';

const FEWEST = 2;
const MOST = 8;
const FIRST = 3;
const QUESTION = 300;
const CHOICE = 120;
const CLOSES = [0, 15, 60, 240, 1440, 10080];

/** A question with two to eight choices, put to the room. `ask(poll)` does it. */
export function openPoll({ ask }) {
  const question = new HeldText('question', words.t('poll.question'), { limit: QUESTION, required: true });
  const lines = [];
  const choices = h('div', { class: 'poll-choices' });
  const more = button(words.t('poll.more'), () => add().querySelector('input').focus(), { class: 'quiet' });
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const yes = h('button', { type: 'submit', class: 'primary' }, words.t('poll.yes'));
  function add() {
    const n = choices.childElementCount + 1;
    const id = `choice-${n}`;
    const input = h('input', { id, name: 'choice', maxlength: String(CHOICE), autocomplete: 'off', required: n <= FEWEST, 'aria-describedby': `${id}-verdict` });
    const verdict = new FieldVerdict({ field: input, id: `${id}-verdict`, limit: CHOICE });
    input.addEventListener('input', () => verdict.typed());
    lines.push(verdict);
    const field = h('div', { class: 'labelled' }, h('label', { for: id }, words.t('poll.choice', { n })), input, verdict.aside, verdict.voice, verdict.box);
    choices.append(field);
    more.hidden = n >= MOST;
    return field;
  }
  for (let n = 0; n < FIRST; n += 1) add();
  const form = h('form', {},
    h('h2', {}, words.t('poll.title')),
    question.element,
    h('fieldset', {}, h('legend', {}, words.t('poll.choices')), choices, more),
    check('multiple'), check('final'), check('closed'),
    h('p', { class: 'labelled' }, h('label', { for: 'poll-closes' }, words.t('poll.closes_in')),
      h('select', { id: 'poll-closes', name: 'closes_in' }, ...CLOSES.map((minutes) => h('option', { value: String(minutes) }, words.t(`poll.closes.${minutes}`))))),
    h('p', { class: 'hint' }, words.t('poll.anonymous')), trouble,
    h('div', { class: 'choices' }, yes, button(words.t('dialog.cancel'), () => dialog.close(), { class: 'quiet' })));
  const dialog = openDialog(words.t('poll.title'), { class: 'poll-form' }, form);

  /** The guard names the field whose words it holds, where it does. */
  async function held(act) {
    try {
      await act();
      return true;
    } catch (refusal) {
      const text = refusal.code === 'held_privacy' && refusal.field === 'question' && question;
      if (!text) throw refusal;
      text.hold(refusal.spans ?? []);
      text.focus();
      return false;
    }
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!question.value) return question.refuse(words.t('form.write_something'));
    if (question.isOver) return question.focus();
    const poll = { ...asked(new FormData(form)), ...notPatient(question, ...lines) };
    if (await once(yes, trouble, () => held(() => ask(poll)))) dialog.close();
    return undefined;
  });
}

function asked(data) {
  const minutes = Number(data.get('closes_in'));
  return {
    question: data.get('question').trim(),
    choices: data.getAll('choice').map((choice) => choice.trim()).filter(Boolean),
    ...(data.has('multiple') && { multiple: true }),
    ...(data.has('final') && { final: true }),
    shown: data.has('closed') ? 'closed' : 'voted',
    ...(minutes && { closes_in: minutes }),
  };
}

function check(name) {
  return h('label', { class: 'radio' }, h('input', { type: 'checkbox', name, 'aria-describedby': `poll-${name}-hint` }),
    h('span', {}, words.t(`poll.${name}`), ' ', h('span', { class: 'hint', id: `poll-${name}-hint` }, words.t(`poll.${name}_hint`))));
}
