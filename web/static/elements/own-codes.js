// @ts-check
import { words } from '../parts/words.js';
import { button, h, write } from './dom.js';
import { once } from './fields.js';
import { proved } from './proof-form.js';
import { field } from './sign-in.js';

const SVG = 'http://www.w3.org/2000/svg';
const MARGIN = 4;

/** The second step after a password: an app's codes, and the recovery codes that stand in for them. */
export function ownCodes(doors) {
  const parts = { said: h('p', { class: 'said', role: 'status' }), trouble: h('p', { class: 'trouble', role: 'alert' }), body: h('div', { class: 'own-codes' }) };
  const show = async () => {
    const { totp, recovery_codes: left } = await doors.get('/api/factors');
    parts.body.replaceChildren(h('p', {}, words.t(totp ? 'account.second_on' : 'account.second_off')), ...(totp ? on(left) : [off()]));
  };
  /** What was pressed is gone: whoever goes by keyboard goes on here. */
  const shownAnew = async () => {
    await show();
    parts.body.querySelector('button').focus();
  };
  const act = (control, what) => once(control, parts.trouble, () => {
    write(parts.said, '');
    return proved(doors, what);
  });
  const off = () => button(words.t('account.turn_on'), async ({ currentTarget }) => {
    const offer = await act(currentTarget, () => doors.post('/api/totp'));
    if (!offer) return;
    parts.body.replaceChildren(scanning(doors, offer, { ...parts, show: shownAnew }));
    parts.body.querySelector('input').focus();
  });
  const on = (left) => [
    h('p', {}, left ? words.count('account.codes_left', left) : words.t('account.codes_none')),
    h('div', { class: 'choices' },
      button(words.t('account.codes_make'), async ({ currentTarget }) => {
        const made = await act(currentTarget, () => doors.post('/api/recovery-codes'));
        if (!made) return;
        await show();
        parts.body.append(shown(made.codes));
        parts.body.querySelector('.codes').focus();
      }),
      button(words.t('account.turn_off'), async ({ currentTarget }) => {
        if (await act(currentTarget, () => doors.delete('/api/totp'))) await shownAnew();
      }, { class: 'quiet' })),
  ];
  once(parts.body, parts.trouble, show);
  return h('section', {}, h('h3', {}, words.t('account.second')), h('p', {}, words.t('account.second_lede')), parts.body, parts.trouble, parts.said);
}

function scanning(doors, offer, { trouble, said, show }) {
  const submit = h('button', { type: 'submit', class: 'primary' }, words.t('account.confirm'));
  const code = field('code', words.t('account.scan_code'), { autocomplete: 'one-time-code', inputmode: 'numeric', maxlength: '10' });
  const form = h('form', { class: 'sign' }, h('p', {}, words.t('account.scan')), picture(offer.picture), h('code', { tabindex: '0' }, grouped(offer.secret)), code, submit);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    once(submit, trouble, async () => {
      await proved(doors, () => doors.post('/api/totp/confirm', { code: form.elements.code.value }));
      await show();
      write(said, words.t('account.done'));
    });
  });
  return form;
}

function shown(codes) {
  return h('div', { class: 'made' }, h('p', { role: 'alert' }, words.t('account.codes_once')), h('ol', { class: 'codes', tabindex: '0' }, ...codes.map((code) => h('li', {}, h('code', {}, code)))));
}

/** A QR code from its rows: dark on light whatever the page's colours are, since cameras want it so. */
function picture(rows) {
  const size = rows.length + 2 * MARGIN;
  const svg = document.createElementNS(SVG, 'svg');
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${size} ${size}`, class: 'qr', role: 'img', 'aria-label': words.t('account.scan_picture'), 'shape-rendering': 'crispEdges' })) svg.setAttribute(name, value);
  const dark = document.createElementNS(SVG, 'path');
  const modules = rows.flatMap((row, y) => [...row].flatMap((bit, x) => (bit === '1' ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : [])));
  dark.setAttribute('d', modules.join(''));
  svg.append(dark);
  return svg;
}

function grouped(secret) {
  return secret.match(/.{1,4}/g).join(' ');
}
