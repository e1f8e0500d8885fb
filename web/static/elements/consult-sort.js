// @ts-check
import { words } from '../parts/words.js';
import { h, icon, markButton } from './dom.js';

const SORTS = { question: 'help', warning: 'warn' };

/**
 * In the composer while opinions are sealed: what is written is a question to the asker, or a warning to do
 * something first. `value` is which, `label` what the composer asks for; it is `isOpen` once it was asked for,
 * and `changed(isOpen)` hears when that turns.
 */
export function makeSort(changed) {
  const mark = h('p', { class: 'sort-head' });
  const made = h('div', { class: 'sorts' }, mark, markButton('close', words.t('compose.cancel'), () => made.close()));
  return Object.assign(made, {
    value: 'question',
    isOpen: false,
    open(sort) {
      Object.assign(made, { value: sort, isOpen: true, label: words.t(`sort.${sort}.label`) });
      mark.className = `sort ${sort}`;
      mark.replaceChildren(icon(SORTS[sort]), words.t(`sort.${sort}`));
      changed(true);
    },
    close() {
      if (!made.isOpen) return;
      made.isOpen = false;
      changed(false);
    },
  });
}
