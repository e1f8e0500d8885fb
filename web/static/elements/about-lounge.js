// @ts-check
import { words } from '../parts/words.js';
import { button, h, openDialog } from './dom.js';
import { houseTexts } from './house-words.js';

/** What this place is not, what never to post, who runs it, and what style gives away. */
export async function openAbout(doors) {
  const house = await doors.get('/api/house');
  const sections = houseTexts(house).map(([title, ...rest]) => h('section', { class: 'house-text' }, h('h3', {}, title), ...rest));
  const close = button(words.t('dialog.close'), () => dialog.close(), { class: 'primary' });
  const dialog = openDialog(words.t('about.title'), { class: 'about-lounge' },
    h('h2', { tabindex: '-1', autofocus: true }, words.t('about.title')), ...sections, h('div', { class: 'choices' }, close));
}
