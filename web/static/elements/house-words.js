// @ts-check
import { words } from '../parts/words.js';
import { h } from './dom.js';

/**
 * What everybody accepts before the first room, and finds again beside every composer: three texts,
 * each [heading, …nodes], and a fourth on what writing itself gives away. `house` as of /api/house. Who
 * changes them in substance raises `TEXTS` in `lounge/house.py`: then they are accepted anew.
 */
export function houseTexts(house) {
  return [
    [words.t('about.not'), list('about.not', ['emergency', 'record', 'treatment'])],
    [words.t('about.never'), h('p', {}, words.t('about.never_lede')), list('about.never', ['name', 'day', 'picture', 'rare', 'others'])],
    [words.t('about.who'), ...whoRuns(house)],
    [words.t('about.writing'), h('p', {}, words.t('about.writing_text')), h('p', {}, words.t('about.writing_do'))],
  ];
}

function whoRuns({ operator, officers = [], unmaskings = 0 }) {
  const names = officers.map(({ name }) => h('li', {}, name));
  const sealed = names.length
    ? [h('p', {}, words.t('about.officers')), h('ul', { class: 'plain-list' }, ...names), h('p', {}, words.t('about.officers_can')), h('p', {}, h('b', {}, unmaskings ? words.count('about.unmasked', unmaskings) : words.t('about.unmasked_never')))]
    : [h('p', {}, words.t('about.no_officers'))];
  return [
    h('p', {}, operator ? words.t('about.operator', { operator }) : words.t('about.operator_unsaid')),
    ...sealed,
    h('p', {}, words.t('about.keys')),
    h('p', {}, words.t('about.kept')),
  ];
}

function list(prefix, codes) {
  return h('ul', { class: 'plain-list' }, ...codes.map((code) => h('li', {}, words.t(`${prefix}.${code}`))));
}
