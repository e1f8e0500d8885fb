// @ts-check
import { words } from '../parts/words.js';
import { button, h } from './dom.js';

/** The other houses that can say who she is and sign her in; nothing where there is none. */
export function ownHouses(doors) {
  const section = h('section', { hidden: true }, h('h3', {}, words.t('waiting.houses')), h('p', {}, words.t('waiting.houses_lede')));
  doors.get('/api/oidc').then(({ providers = [] }) => {
    section.append(h('div', { class: 'choices' }, ...houseButtons(providers)));
    section.hidden = !providers.length;
  }, () => {});
  return section;
}

/** A way to each of them, for whoever is signed in here already. */
export function houseButtons(providers) {
  return providers.map(({ name, title }) => button(words.title(title), () => location.assign(`/api/oidc/${encodeURIComponent(name)}/start`)));
}
