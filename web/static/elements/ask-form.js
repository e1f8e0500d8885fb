// @ts-check
import { newCid } from '../parts/wire.js';
import { words } from '../parts/words.js';
import { button, h, icon, openDialog, put, write } from './dom.js';
import { once } from './fields.js';
import { HeldText, notPatient } from './held-text.js';

const LIMIT = 300;
const KEPT = 'ask';
const LATELY = 'asked';
const MOST_LATELY = 3;

/**
 * One sentence and a specialty, from wherever she is. What was typed is kept for the tab until it is sent, with the
 * cid under which it went out; `kept` remembers whom she asked lately. `send(given)` asks, `sent(answer, specialty)` goes there, `online()` tells whether the line is up.
 */
export function openAsk({ kept, unsent, text: first, online, send, sent }) {
  if (document.querySelector('.ask-form')) return;
  const draft = unsent.get(KEPT, {});
  const lately = kept.get(LATELY, []);
  let cid = draft.cid ?? null;
  const text = new HeldText('ask', words.t('ask.text'), { limit: LIMIT, required: true, hint: words.t('ask.text.hint') });
  const select = chooser(lately, draft.specialty ?? lately[0] ?? '');
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const said = h('p', { class: 'said', role: 'status' });
  const yes = h('button', { type: 'submit', class: 'primary' }, words.t('ask.send'));
  const form = h('form', { class: 'ask-form', novalidate: true },
    h('h2', {}, words.t('ask.title')),
    h('p', { class: 'page-first' }, icon('warn'), ' ', words.t('ask.first')),
    text.element,
    h('p', { class: 'labelled' }, h('label', { for: 'ask-whom' }, words.t('ask.whom')), select),
    h('p', { class: 'foot' }, words.t('ask.lede')), trouble, said,
    h('div', { class: 'choices' }, yes, button(words.t('dialog.cancel'), () => dialog.close(), { class: 'quiet' })));
  text.value = first || draft.text || '';
  form.addEventListener('input', () => {
    cid = null;
    write(trouble, '');
    put(select, 'aria-invalid', null);
    keep();
  });
  form.addEventListener('keydown', (event) => {
    // One sentence: Enter sends it, where a key can be pressed without a thumb.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.target !== text.text || matchMedia('(pointer: coarse)').matches) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  const dialog = openDialog(words.t('ask.title'), { class: 'ask' }, form);
  text.focus();

  function keep() {
    if (text.value) unsent.set(KEPT, { text: text.value, specialty: select.value, cid });
    else unsent.remove(KEPT);
  }

  async function submit() {
    if (!text.value) return text.refuse(words.t('ask.need_text'));
    if (text.isOver) return text.refuse(words.t('case.too_long'));
    if (!select.value) return needWhom();
    write(said, words.t(online() ? 'ask.sending' : 'page.waiting_line'));
    const answer = await once(yes, trouble, ask);
    write(said, '');
    if (!answer) return undefined;
    unsent.remove(KEPT);
    kept.set(LATELY, [select.value, ...lately.filter((one) => one !== select.value)].slice(0, MOST_LATELY));
    dialog.close();
    return sent(answer, select.value);
  }

  function needWhom() {
    put(select, 'aria-invalid', 'true');
    write(trouble, words.t('ask.need_whom'));
    select.focus();
  }

  async function ask() {
    cid ??= newCid();
    keep();
    try {
      return await send({ text: text.value, specialty: select.value, ...notPatient(text), cid });
    } catch (refusal) {
      if (refusal.code !== 'held_privacy') throw refusal;
      text.hold(refusal.spans ?? []);
      text.focus();
      return null;
    }
  }
}

/** All specialties by name, and first those asked lately. */
function chooser(lately, chosen) {
  const option = ([value, name]) => h('option', { value, selected: value === chosen }, name);
  const recent = lately.map((slug) => [slug, words.specialty(slug)]);
  const rest = words.choices('specialties').filter(([slug]) => !lately.includes(slug));
  return h('select', { id: 'ask-whom', name: 'specialty', 'aria-required': 'true' }, option(['', words.t('ask.choose')]),
    ...(recent.length ? [h('optgroup', { label: words.t('ask.lately') }, ...recent.map(option))] : []),
    ...(recent.length ? [h('optgroup', { label: words.t('ask.all') }, ...rest.map(option))] : rest.map(option)));
}
