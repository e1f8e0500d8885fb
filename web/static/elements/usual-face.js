// @ts-check
import { words } from '../parts/words.js';
import { h, write } from './dom.js';
import { once } from './fields.js';
import { field } from './sign-in.js';

const FACES = ['anonymous', 'screen'];

/**
 * The face worn in every room in which no other was chosen: a form, with what is known filled in.
 * `label` words its button; `done` is called once it is kept. `doors` is the Api.
 */
export function usualFace({ doors, label, done }) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const yes = h('button', { type: 'submit', class: 'primary' }, label);
  const radios = FACES.map((as) => h('label', { class: 'radio' }, h('input', { type: 'radio', name: 'usual', value: as, checked: as === 'anonymous', 'aria-describedby': `usual-${as}` }),
    h('span', {}, h('b', {}, words.t(`face.as.${as}`)), h('span', { class: 'hint', id: `usual-${as}` }, words.t(`face.as.${as}.hint`)))));
  const name = field('usual-name', words.t('face.screen_name'), { maxlength: '40', autocomplete: 'nickname', required: false });
  const form = h('form', { class: 'sign' }, h('fieldset', {}, h('legend', { class: 'unseen' }, words.t('face.usual')), ...radios), name, trouble, yes);
  const chosen = () => form.elements.usual.value;
  const input = form.elements['usual-name'];
  const draw = () => (name.hidden = chosen() !== 'screen');
  let touched = false;
  form.addEventListener('change', draw);
  form.addEventListener('input', () => (touched = true));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    once(yes, trouble, async () => {
      if (chosen() === 'screen') await doors.patch('/api/screen-name', { name: input.value });
      await doors.put('/api/face', { as: chosen() });
      done();
    });
  });
  const fill = async () => {
    const [face, screen] = await Promise.all([doors.get('/api/face'), doors.get('/api/screen-name')]);
    // What comes late takes nothing back that was chosen meanwhile.
    if (touched) return;
    input.value = screen.name ?? '';
    form.elements.usual.value = face.as ?? 'anonymous';
    draw();
  };
  draw();
  fill().catch((refusal) => write(trouble, words.refusal(refusal)));
  return form;
}
