// @ts-check
/* global VERSION */
// The service worker. `web/pages.py` puts before it `const VERSION`, which differs whenever a file of the browser does.
// Everything comes from the network first: what is kept here is shown only where there is none, so that no upgrade
// meets an old client. Of the doctor it keeps what `keep` writes, for as long as she is signed in on a computer of
// her own; whatever ends that takes it away.
const FILES = `/static/${VERSION.split('+')[0]}/`;
const SHELLS = 'lounge.shell@';
const SHELL = SHELLS + VERSION;
const OWN = 'lounge.of.rota';
const LANGUAGE = '/kept/language';
const AWAY = '/away';
/** The page that stands where there is no network, and nothing else. */
const KEPT = [
  AWAY, '/words/en.json', '/words/fr.json',
  file('icons/lounge.svg'), ...['early', 'away'].map((name) => file(`${name}.js`)),
  ...['api', 'rota', 'wire', 'words'].map((name) => file(`parts/${name}.js`)),
  ...['dom', 'fields', 'oncall-times', 'own-duty', 'role-list', 'rota-picture'].map((name) => file(`elements/${name}.js`)),
  ...['tokens', 'base', 'frame', 'oncall'].map((name) => file(`css/${name}.css`)),
];
/** Whoever comes in may be another one. */
const ENTRY = /^\/api\/(demo|session(\/second|\/passkey)?)$/;
const ROTA = /^\/api\/roles(\/[\w-]+)?$/;
/** A proxy that answers in place of a lounge that is away. */
const NOBODY = new Set([502, 503, 504]);
const PAGE_MS = 10_000;
const ROTA_MS = 4_000;

self.addEventListener('install', (event) => event.waitUntil(install()));
self.addEventListener('activate', (event) => event.waitUntil(activate()));
self.addEventListener('fetch', answer);
self.addEventListener('push', (event) => event.waitUntil(pushed(read(event.data))));
self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(pressed(event.action, event.notification.data ?? {}));
});

async function install() {
  const shell = await caches.open(SHELL);
  await shell.addAll(KEPT.map((path) => new Request(path, { cache: 'no-cache' })));
  await self.skipWaiting();
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith(SHELLS) && name !== SHELL);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.registration.navigationPreload?.enable();
  await self.clients.claim();
}

// — what is asked for —

function answer(event) {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== location.origin) return;
  // The page itself asks, for the answer empties the browser, this worker included.
  if (pathname === '/api/session' && request.method === 'DELETE') event.waitUntil(part());
  if (request.method === 'POST' && ENTRY.test(pathname)) event.waitUntil(forget());
  if (request.method !== 'GET') return;
  if (pathname === '/api/session') event.respondWith(session(event));
  else if (ROTA.test(pathname)) event.respondWith(rota(request));
  else if (request.mode === 'navigate' && !pathname.startsWith('/api/')) event.respondWith(page(event));
  else if (pathname.startsWith('/static/') || pathname.startsWith('/words/')) event.respondWith(fresh(request));
}

async function page({ request, preloadResponse }) {
  try {
    const told = await within(PAGE_MS, Promise.resolve(preloadResponse).then((loaded) => loaded ?? fetch(request)));
    return NOBODY.has(told.status) ? (await kept(SHELL, AWAY)) ?? told : told;
  } catch {
    return (await kept(SHELL, AWAY)) ?? Response.error();
  }
}

function fresh(request) {
  return fetch(request).catch(async () => (await kept(SHELL, request)) ?? Response.error());
}

/** Roles, numbers and rotas: as they are, or as they were, with when that was. */
async function rota(request) {
  const own = (await caches.has(OWN)) && (await caches.open(OWN));
  try {
    const told = await within(ROTA_MS, fetch(request));
    if (own && told.ok) await keep(own, request, told.clone());
    return NOBODY.has(told.status) ? (own && (await own.match(request.url))) || told : told;
  } catch {
    return (own && (await own.match(request.url))) || Response.error();
  }
}

async function keep(own, { url }, told) {
  const body = { ...(await told.json()), kept: new Date().toISOString() };
  if (body.roles) await drop(own, body.roles);
  await own.put(url, new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } }));
}

/** What is not hers any more: of roles that she is no member of nothing but the number is kept. */
async function drop(own, roles) {
  const hers = new Set(['/api/roles', LANGUAGE, ...roles.filter(({ mine }) => mine).map(({ id }) => `/api/roles/${id}`)]);
  const left = (await own.keys()).filter(({ url }) => !hers.has(new URL(url).pathname));
  await Promise.all(left.map((request) => own.delete(request)));
}

async function session(event) {
  const told = await fetch(event.request).catch(() => Response.error());
  if (told.status === 401) event.waitUntil(forget());
  if (told.ok) event.waitUntil(told.clone().json().then(known));
  return told;
}

/** Somebody is signed in. On a computer that others use nothing of her is kept. */
async function known({ shared, language }) {
  if (shared) return forget();
  return (await caches.open(OWN)).put(LANGUAGE, new Response(language));
}

/** She signs out here: no alert reaches this device any more. */
async function part() {
  await forget();
  await (await self.registration.pushManager?.getSubscription())?.unsubscribe();
}

async function forget() {
  await caches.delete(OWN);
  for (const shown of await self.registration.getNotifications()) shown.close();
}

async function kept(name, request) {
  return (await caches.has(name)) ? (await caches.open(name)).match(request) : undefined;
}

function within(ms, promise) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error('late')), ms));
  return Promise.race([promise, late]);
}

function file(path) {
  return FILES + path;
}

// — alerts —

/** What a push says, in words of hers: {kind: page · ask · over · test, room, title, body, urgency?, code?, formal?, accept?, decline?}. */
function read(data) {
  try {
    return data.json();
  } catch {
    return {};
  }
}

async function pushed({ kind = '', room, title = 'Lounge', body, urgency, code, formal, accept, decline }) {
  const told = { tag: room, body, data: { kind, room, code } };
  if (kind === 'test') return show(title, { ...told, actions: [{ action: 'arrived', title: (await words())('push.arrived') }] });
  // A push has to show something: that it is over takes the place of what rang.
  if (kind === 'over') return show(title, { ...told, silent: true });
  const windows = await self.clients.matchAll({ type: 'window' });
  // Where names may be exchanged it is opened to be accepted: one tap would choose for her, and not say so.
  const actions = [accept && !formal && { action: 'accept', title: accept }, decline && { action: 'decline', title: decline }].filter(Boolean);
  await show(title, { ...told, actions, renotify: Boolean(room), requireInteraction: urgency === 'now', silent: windows.some(({ focused }) => focused) });
  if (room) await post('/api/page', { room, act: 'delivered' }).catch(() => {});
  return undefined;
}

async function pressed(action, { kind, room, code }) {
  if (kind === 'test') return arrived(room, code);
  if (kind === 'over') return open('/');
  if (action && room) return respond(action, room);
  return open(room ? `/?page=${encodeURIComponent(room)}` : '/');
}

/** Accepts or declines; what came of it is said, for there is no page to say it. */
async function respond(act, room) {
  const t = await words();
  try {
    const told = await post('/api/page', { room, act, cid: crypto.randomUUID() });
    if (told.ok) return act === 'accept' ? open(`/rooms/${room}`) : undefined;
    const { error } = await told.json().catch(() => ({}));
    return show(error?.message ?? t('push.unsaid'), { tag: room, body: t('push.look'), data: { room } });
  } catch {
    return show(t('push.unsaid'), { tag: room, body: t('push.look'), data: { room } });
  }
}

async function arrived(reach, code) {
  const told = await post(`/api/reach/${encodeURIComponent(reach)}/confirm`, { code }).catch(() => null);
  for (const window of await self.clients.matchAll({ type: 'window' })) window.postMessage({ arrived: reach });
  if (!told?.ok) await show((await words())('push.unsaid'), { tag: 'test', silent: true, data: {} });
}

/** A window that is open goes there itself, and keeps what is in it. */
async function open(path) {
  const [window] = await self.clients.matchAll({ type: 'window' });
  try {
    window?.postMessage({ go: path });
    await (window ? window.focus() : self.clients.openWindow(path));
  } catch {
    // A browser that did not see the press opens nothing; what was answered stands.
  }
}

function post(path, body) {
  return fetch(path, { method: 'POST', headers: { 'content-type': 'application/json', 'accept-language': language.now }, body: JSON.stringify(body) });
}

function show(title, options) {
  return self.registration.showNotification(title, { icon: file('icons/lounge-192.png'), badge: file('icons/badge.png'), lang: language.now, ...options });
}

/** The words of the doctor's language: an alert is shown with or without them. */
async function words() {
  const lang = await language();
  const path = `/words/${lang}.json`;
  const told = await ((await kept(SHELL, path)) ?? fetch(path)).json().catch(() => ({}));
  return (key) => told.words?.[key] ?? 'Lounge';
}

async function language() {
  const told = await (await kept(OWN, LANGUAGE))?.text();
  language.now = (told ?? navigator.language).startsWith('fr') ? 'fr' : 'en';
  return language.now;
}
language.now = 'en';
