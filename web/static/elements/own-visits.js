// @ts-check
import { words } from '../parts/words.js';
import { button, h, write } from './dom.js';
import { once } from './fields.js';
import { proved } from './proof-form.js';
import { field } from './sign-in.js';
import { when } from './when.js';

/** Where she is signed in. */
export function ownSessions(doors) {
  return opened(doors, 'sessions').section;
}

/** What her programs come with. */
export function ownTokens(doors) {
  const { section, said, trouble, show } = opened(doors, 'tokens');
  const made = h('div', { class: 'made' });
  const submit = h('button', { type: 'submit' }, words.t('account.make'));
  const form = h('form', { class: 'inline' }, field('label', words.t('account.token_label'), { maxlength: '60', autocomplete: 'off' }), submit);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    once(submit, trouble, async () => {
      const token = await proved(doors, () => doors.post('/api/tokens', { label: form.elements.label.value }));
      if (!token) return;
      made.replaceChildren(...reveal(token.token, said));
      form.reset();
      await show();
    });
  });
  section.append(form, made);
  return section;
}

function opened(doors, what) {
  const said = h('p', { class: 'said', role: 'status' });
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const list = h('ul', { class: 'own-things' });
  const show = async () => {
    const told = await doors.get(`/api/${what}`);
    const rows = told[what].map((one) => row(one));
    list.replaceChildren(...(rows.length ? rows : [h('li', { class: 'none' }, words.t(`account.no_${what}`))]));
  };
  const row = (one) => {
    const end = ({ currentTarget }) => once(currentTarget, trouble, async () => {
      await doors.delete(`/api/${what}/${encodeURIComponent(one.id)}`);
      await show();
    });
    const label = `${words.t(`account.end_${what}`)} ${one.label ?? ''}`;
    return h('li', {},
      h('div', {}, h('span', {}, one.label || words.t('account.unnamed'), one.current ? h('b', {}, ` ${words.t('account.this_one')}`) : ''), h('p', { class: 'foot' }, ...facts(one))),
      one.current ? '' : button(words.t('account.end'), end, { class: 'quiet', 'aria-label': label }));
  };
  once(list, trouble, show);
  const section = h('section', {}, h('h3', {}, words.t(`account.${what}`)), h('p', {}, words.t(`account.${what}_lede`)), list, trouble, said);
  return { section, said, trouble, show };
}

function facts({ kind, created, seen, used }) {
  const last = seen ?? used;
  const facts = [words.t('account.since'), ' ', when(created)];
  if (last) facts.push(' · ', words.t('account.used'), ' ', when(last));
  if (kind) facts.push(' · ', words.coded('account.kind', kind));
  return facts;
}

function reveal(token, said) {
  const copy = async () => {
    await navigator.clipboard.writeText(token);
    write(said, words.t('account.copied'));
  };
  return [h('p', { role: 'alert' }, words.t('account.token_once')), h('code', { tabindex: '0' }, token), button(words.t('account.copy'), copy, { class: 'quiet' })];
}
