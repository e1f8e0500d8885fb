// @ts-check
import { words } from '../parts/words.js';
import { h, openDialog, put, write } from './dom.js';

const MOST = 8;

/** The way to anywhere by a few letters: `matching(typed)` gives rooms, `places(typed)` {label, act}; `go` and `search` act. */
export function openPalette({ matching, own, places, go, search }) {
  if (document.querySelector('.palette')) return;
  let choices = [];
  let at = 0;
  const input = h('input', { type: 'text', role: 'combobox', autocomplete: 'off', spellcheck: 'false', 'aria-expanded': 'true', 'aria-controls': 'palette-list', 'aria-label': words.t('palette.label'), placeholder: words.t('palette.label') });
  const list = h('ul', { role: 'listbox', id: 'palette-list', 'aria-label': words.t('palette.choices') });
  const said = h('p', { class: 'unseen', role: 'status' });
  const dialog = openDialog(words.t('palette.title'), { class: 'palette' }, input, list, said);

  const point = (to) => {
    at = (to + choices.length) % choices.length;
    [...list.children].forEach((item, index) => put(item, 'aria-selected', String(index === at)));
    put(input, 'aria-activedescendant', `choice-${at}`);
    list.children[at]?.scrollIntoView({ block: 'nearest' });
  };
  const take = (index) => {
    dialog.close();
    choices[index]?.act();
  };
  const draw = () => {
    const typed = input.value.trim();
    const rooms = (typed ? matching(typed) : own()).slice(0, MOST);
    choices = rooms.map((room) => ({ label: words.title(room.title), act: () => go(room.id) }));
    choices.push(...places(typed));
    choices.push({ label: typed ? words.t('palette.search', { typed }) : words.t('palette.search_all'), act: () => search(typed) });
    list.replaceChildren(...choices.map(({ label }, index) => option(label, index, () => take(index))));
    write(said, words.count('palette.found', choices.length));
    point(0);
  };
  input.addEventListener('input', draw);
  input.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) point(at + step);
    else if (event.key === 'Enter') take(at);
    else return;
    event.preventDefault();
  });
  draw();
  input.focus();
}

function option(label, index, click) {
  return h('li', { role: 'option', id: `choice-${index}`, 'aria-selected': 'false', on: { click } }, label);
}
