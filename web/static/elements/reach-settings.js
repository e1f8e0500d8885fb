// @ts-check
import { newCid, Refusal } from '../parts/wire.js';
import { words } from '../parts/words.js';
import { button, h, icon, write } from './dom.js';
import { once } from './fields.js';
import { field } from './sign-in.js';
import { when } from './when.js';

const STEPS = ['share', 'add', 'open', 'turn_on'];

/** How a doctor is reached when she is paged: her ways, each tried out before it counts. `doors` is the Api. */
export function reachSettings(doors) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const said = h('p', { class: 'said', role: 'status' });
  const state = h('p', { class: 'reach-state' });
  const list = h('ul', { class: 'own-things reaches' });
  const adding = h('div', { class: 'reach-adding' });
  const section = h('section', { id: 'reach' }, h('h3', {}, words.t('reach.title')), h('p', {}, words.t('reach.lede')), state, list, adding, homeScreen(), trouble, said);
  const show = async () => {
    const told = await doors.get('/api/reach');
    state.className = told.reachable ? 'reach-state' : 'reach-state bare';
    state.replaceChildren(icon(told.reachable ? 'check' : 'warn'), words.t(told.reachable ? 'reach.reachable' : 'reach.not_reachable'));
    list.replaceChildren(...told.reaches.map((one) => row(one, { doors, act, said })));
    adding.replaceChildren(...ways(told, add));
  };
  const act = (control, does) => once(control, trouble, async () => {
    await does();
    await show();
  });
  const add = (kind, given) => ({ currentTarget }) => act(currentTarget, async () => {
    const { id } = await doors.post('/api/reach', { kind, ...(await given()) });
    await doors.post(`/api/reach/${encodeURIComponent(id)}/test`);
    write(said, words.t(`reach.tested.${kind}`));
  });
  // The worker says so when its notification was pressed.
  navigator.serviceWorker?.addEventListener('message', ({ data }) => data?.arrived && section.isConnected && once(section, trouble, show));
  document.addEventListener('reachtest', ({ detail }) => arrivedHere(section, detail));
  once(section, trouble, show);
  return section;
}

function row({ id, kind, label, works, confirmed, failed, used }, { doors, act, said }) {
  const path = `/api/reach/${encodeURIComponent(id)}`;
  const name = [words.t(`reach.kind.${kind}`), label].filter(Boolean).join(' · ');
  const test = ({ currentTarget }) => act(currentTarget, async () => {
    await doors.post(`${path}/test`);
    write(said, words.t(`reach.tested.${kind}`));
  });
  const drop = ({ currentTarget }) => act(currentTarget, () => doors.delete(path));
  const standing = failed ? [words.t('reach.failed'), ' ', when(failed)] : confirmed ? [words.t(works ? 'reach.works' : 'reach.lapsed'), used ? ' · ' : '', used ? when(used) : ''] : [words.t('reach.unconfirmed')];
  return h('li', { class: 'reach-way' },
    h('div', {}, h('p', {}, icon(works ? 'check' : 'warn'), name), h('p', { class: 'foot' }, ...standing)),
    h('div', { class: 'choices' },
      button(words.t('reach.test'), test, { class: 'quiet', 'aria-label': words.t('reach.test_of', { name }) }),
      button(words.t('reach.drop'), drop, { class: 'quiet', 'aria-label': words.t('reach.drop_of', { name }) })),
    works ? '' : codeForm(id, async (code) => doors.post(`${path}/confirm`, { code }), act));
}

/** What the test alert said, told back: only then does a way count. */
function codeForm(id, confirm, act) {
  const send = h('button', { type: 'submit' }, words.t('reach.confirm'));
  const code = field(`code-${id}`, words.t('reach.code'), { inputmode: 'numeric', autocomplete: 'one-time-code', pattern: '[0-9]{6}', maxlength: '6' });
  const form = h('form', { class: 'inline' }, code, send);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    act(send, () => confirm(form.querySelector('input').value));
  });
  return form;
}

/** The test alert of an open page comes as a notice: one press says that it was seen. */
function arrivedHere(section, { about, code }) {
  const input = section.querySelector(`#field-code-${CSS.escape(about)}`);
  if (!input) return;
  input.value = code;
  input.form.querySelector('button').focus();
}

/** The ways that can be added here and now. */
function ways({ offered, reaches }, add) {
  const has = (kind) => reaches.some((one) => one.kind === kind);
  const made = [];
  if (offered.includes('push')) made.push(button(words.t('reach.add.push'), add('push', subscribe)));
  if (offered.includes('mail') && !has('mail')) made.push(button(words.t('reach.add.mail'), add('mail', () => ({}))));
  if (offered.includes('open')) made.push(button(words.t('reach.add.open'), add('open', () => ({ address: ownPage() }))));
  const numbers = offered.filter((kind) => kind === 'sms' || kind === 'voice');
  const buttons = h('div', { class: 'choices' }, ...made);
  if (!numbers.length) return [buttons];
  const number = field('reach-number', words.t('reach.number'), { type: 'tel', autocomplete: 'tel', required: false });
  const given = () => ({ address: number.querySelector('input').value });
  return [buttons, number, h('div', { class: 'choices' }, ...numbers.map((kind) => button(words.t(`reach.add.${kind}`), add(kind, given))))];
}

/** This browser, at its push service. It asks her first. */
async function subscribe() {
  const registration = await navigator.serviceWorker?.getRegistration();
  if (!registration?.pushManager) throw new Refusal('push', words.t('reach.push.none'));
  if ((await Notification.requestPermission()) !== 'granted') throw new Refusal('push', words.t('reach.push.denied'));
  try {
    const { key } = await (await fetch('/api/reach/push-key')).json();
    const { endpoint, keys } = (await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key })).toJSON();
    return { address: endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth } };
  } catch (problem) {
    console.warn('lounge: no push', problem.message);
    throw new Refusal('push', words.t('reach.push.failed'));
  }
}

/** What this page calls itself for as long as its tab is open; `open-page.js` says every minute that it is. */
function ownPage() {
  const known = sessionStorage.getItem('lounge.of.open');
  const name = known ? JSON.parse(known) : newCid().replaceAll('-', '');
  sessionStorage.setItem('lounge.of.open', JSON.stringify(name));
  return name;
}

/** On iPhones only an app on the home screen is alerted: how it gets there, and on others too. */
function homeScreen() {
  const needed = 'standalone' in navigator && !navigator.standalone;
  const steps = STEPS.map((step) => h('li', {}, words.t(`reach.home.${step}`)));
  return h('details', { open: needed, class: 'home-screen' }, h('summary', {}, words.t('reach.home')), h('p', {}, words.t('reach.home.lede')), h('ol', {}, ...steps), h('p', { class: 'hint' }, words.t('reach.home.android')));
}
