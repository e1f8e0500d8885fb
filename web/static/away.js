// @ts-check
// Where there is no network: who is on call and the numbers, as they were known last. The service worker shows it.
import { Api } from './parts/api.js';
import { ownShifts, readRole } from './parts/rota.js';
import { words } from './parts/words.js';
import { button, h } from './elements/dom.js';
import { shiftList } from './elements/own-duty.js';
import { keptLine, roleList } from './elements/role-list.js';
import { rotaPicture } from './elements/rota-picture.js';

const AGAIN_MS = 5_000;
const WEEK = 7;
const WIDEST = 704;
const doors = new Api();

async function show() {
  const lang = await language();
  document.documentElement.lang = lang;
  await words.load(lang);
  document.title = words.t('app.name');
  const body = h('div', { class: 'oncall-body' });
  document.body.replaceChildren(h('main', { class: 'page away' },
    h('h1', {}, words.t('app.name')),
    h('p', { role: 'status' }, words.t('away.said')),
    h('p', {}, button(words.t('away.again'), () => location.reload(), { class: 'primary' })),
    body));
  const { roles, kept } = await doors.get('/api/roles').catch(() => ({ roles: [] }));
  if (!kept) return body.append(h('p', { class: 'none' }, words.t('away.nothing')));
  const own = (await Promise.all(roles.filter(({ mine }) => mine).map(detail))).filter(Boolean);
  const shifts = own.flatMap((role) => ownShifts(role).map((shift) => ({ ...shift, role }))).sort((one, other) => one.starts - other.starts);
  return body.append(
    keptLine(kept),
    h('section', {}, h('h2', {}, words.t('oncall.services')), ...roleList(roles, { kept })),
    ...(own.length ? [h('section', {}, h('h2', {}, words.t('oncall.own')), shiftList(shifts))] : []),
    ...own.filter(({ layers }) => layers.length).map((role) => rota(role, Math.min(WIDEST, body.clientWidth))));
}

function rota(role, width) {
  return h('section', {}, h('h2', {}, role.service), h('p', { class: 'hint' }, words.t('rota.zone', { zone: role.zone })), rotaPicture(role, Date.now(), WEEK, width));
}

async function detail(role) {
  try {
    return readRole({ ...role, ...(await doors.get(`/api/roles/${encodeURIComponent(role.id)}`)) });
  } catch {
    return null;
  }
}

/** The doctor's, for as long as something of hers is kept; else the browser's. */
async function language() {
  const told = await (await caches.match('/kept/language'))?.text();
  return (told ?? navigator.language).startsWith('fr') ? 'fr' : 'en';
}

/** The page that was asked for, as soon as there is somebody to ask. */
async function again() {
  const there = await fetch('/healthz', { cache: 'no-store' }).catch(() => null);
  if (there?.ok) location.reload();
}

setInterval(again, AGAIN_MS);
window.addEventListener('online', again);
show();
