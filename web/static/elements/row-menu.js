// @ts-check
import { words } from '../parts/words.js';
import { button, h, openDialog } from './dom.js';
import { authorOf, PLAN, reactionName, REACTIONS } from './message-row.js';

const ACTS = ['reply', 'persona', 'talk', 'edit', 'redact', 'receipt', 'report', 'moderate', 'link'];

/**
 * Everything that may be done with an entry; `choose(act)` and `react(emoji)` do it; `names` words some acts
 * otherwise, by act.
 */
export function openMenu({ entry, may, reacted, names = {}, choose, react }) {
  const then = (act) => () => {
    dialog.close();
    act();
  };
  const item = (name, act) => button(words.t(`action.${names[name] ?? name}`), then(act), { class: `menu-act ${name}` });
  const reaction = (emoji) => {
    const pressed = String(reacted.includes(emoji));
    const attributes = { type: 'button', class: 'reaction', 'aria-pressed': pressed };
    const click = then(() => react(emoji));
    return h('button', { ...attributes, on: { click } }, h('span', { class: 'emoji' }, emoji), h('span', {}, reactionName(emoji)));
  };
  const group = { class: 'react-row', role: 'group', 'aria-label': words.t('action.react') };
  const acts = ACTS.filter((name) => may[name]).map((name) => item(name, () => choose(name)));
  const dialog = openDialog(words.t('action.menu'), { class: 'menu' },
    h('p', { class: 'menu-head' }, authorOf(entry), h('br'), words.exact(entry.at)),
    may.react ? h('div', group, ...Object.keys(REACTIONS).filter((emoji) => emoji !== PLAN || may.plan).map(reaction)) : '',
    ...acts,
    item('close', () => {}));
}
