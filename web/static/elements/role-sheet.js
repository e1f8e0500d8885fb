// @ts-check
import { words } from '../parts/words.js';
import { button, h, icon, put, write } from './dom.js';
import { stretch } from './oncall-times.js';
import { callLink, coverage } from './role-list.js';
import { gapWords, layerName, rotaPicture, rotaTable } from './rota-picture.js';
import { changeForms, changeList } from './rota-changes.js';
import { memberList, roleSettings } from './role-settings.js';
import { leaving, office } from './role-parting.js';
import { rotaEditor } from './rota-editor.js';
import { pageRecord } from './page-record.js';

const WEEK = 7;
const MONTH = 28;
const WIDEST = 704;
const NAMED = 6;

/** One role as its members and its keeper see it. `change` sends a change of the rota, `again` draws anew, `parted` says so after it. */
export function roleSheet({ role, kept, doors, width, again, change, parted }) {
  const keeper = role.mine === 'keeper';
  const whole = [
    h('div', { class: 'role-top' }, h('h3', {}, role.service), h('p', { class: 'role-name' }, role.name), coverage(role), callLink(role.number)),
    rotaSection(role, Math.min(WIDEST, width || WIDEST)),
  ];
  if (kept) return whole;
  whole.push(h('section', {}, h('h3', {}, words.t('rota.changes')), h('p', { class: 'hint' }, words.t('rota.zone', { zone: role.zone })), changeList(role, doors, again), ...changeForms(role, change)));
  if (keeper) whole.push(h('section', {}, h('h3', {}, words.t('rota.keeping')), rotaEditor(role, doors, again), memberList(role, doors, again), roleSettings(role, doors, again), office(role, doors, parted)));
  whole.push(pageRecord(role, doors, Math.min(WIDEST, width || WIDEST)));
  if (role.you) whole.push(leaving(role, doors, parted));
  return whole;
}

function rotaSection(role, width) {
  const holder = h('div', { class: 'rota-holder' });
  const draw = (count) => holder.replaceChildren(rotaPicture(role, Date.now(), count, width));
  const more = button(words.t('rota.month'), () => {
    const wide = more.getAttribute('aria-pressed') !== 'true';
    put(more, 'aria-pressed', String(wide));
    draw(wide ? MONTH : WEEK);
  }, { class: 'quiet', 'aria-pressed': 'false' });
  draw(WEEK);
  const empty = !role.layers.length;
  return h('section', { 'aria-labelledby': 'rota-title' },
    h('h3', { id: 'rota-title' }, words.t('rota.title')),
    h('p', { class: 'hint' }, words.t('rota.zone', { zone: role.zone })),
    ...(empty ? [h('p', { class: 'bare' }, icon('warn'), words.t('rota.empty'))] : [troubles(role), key(role), holder, more]),
    empty ? '' : h('details', {}, h('summary', {}, words.t('consults.table')), rotaTable(role)));
}

/** What is wrong with it within four weeks, said before it happens. */
function troubles({ gaps, overlaps, nameOf, zone }) {
  const silent = [...new Set(gaps.flatMap(({ doctors }) => doctors))].map(nameOf);
  const unreached = silent.length ? h('p', { class: 'bare' }, icon('warn'), words.t('rota.silent', { who: silent.join(', ') })) : '';
  const found = [
    ...gaps.filter(({ doctors }) => !doctors.length).map((each) => [each, gapWords(each, nameOf)]),
    ...overlaps.map((each) => [each, words.t('rota.overlap', { who: each.doctors.map(nameOf).join(', ') })]),
  ].sort(([one], [other]) => one.starts - other.starts);
  if (!found.length) return h('div', { class: 'rota-troubles' }, h('p', {}, icon('check'), words.t('rota.whole')), unreached);
  const rows = found.slice(0, NAMED).map(([{ starts, ends, layer }, said]) => h('li', {}, h('b', {}, stretch(starts, ends, zone)), ' · ', [layer && layerName(layer), said].filter(Boolean).join(' · ')));
  return h('div', { class: 'rota-troubles' }, unreached, h('p', { class: 'bare' }, icon('warn'), words.count('rota.troubles', found.length)),
    h('ul', {}, ...rows), found.length > NAMED ? h('p', { class: 'hint' }, words.t('rota.troubles_more', { n: found.length - NAMED })) : '');
}

/** Which lane is which, and what hatches and stripes mean: never by colour alone. */
function key({ layers }) {
  const lanes = layers.map((name, index) => words.t('rota.lane', { n: index + 1, layer: layerName(name) }));
  const said = h('p', { class: 'hint' });
  write(said, [...lanes, words.t('rota.key')].join(' · '));
  return said;
}
