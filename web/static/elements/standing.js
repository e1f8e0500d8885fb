// @ts-check
import { words } from '../parts/words.js';
import { h, write } from './dom.js';
import { once } from './fields.js';
import { field } from './sign-in.js';
import { usualFace } from './usual-face.js';

/** How one is usually seen, and vouching: what a verified doctor's account has of joining and faces. */
export function standing(doors) {
  const said = h('p', { class: 'said', role: 'status' });
  const form = usualFace({ doors, label: words.t('face.keep'), done: () => write(said, words.t('face.kept')) });
  return [h('section', {}, h('h3', {}, words.t('face.usual')), h('p', {}, words.t('face.usual_lede')), form, said), vouching(doors)];
}

/** Where a verified doctor says that she knows an applicant. `doors` is the Api. */
function vouching(doors) {
  const said = h('p', { class: 'said', role: 'status' });
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const yes = h('button', { type: 'submit' }, words.t('vouch.yes'));
  const email = field('vouched', words.t('vouch.email'), { type: 'email', autocomplete: 'off', inputmode: 'email' });
  const form = h('form', { class: 'inline vouch' }, email, yes);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    write(said, '');
    once(yes, trouble, async () => {
      await doors.post('/api/vouchers', { email: form.elements.vouched.value });
      form.reset();
      write(said, words.t('vouch.done'));
    });
  });
  return h('section', {}, h('h3', {}, words.t('vouch.title')), h('p', {}, words.t('vouch.lede')), form, trouble, said);
}
