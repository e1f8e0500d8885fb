// @ts-check
import { words } from '../parts/words.js';
import { button, h } from './dom.js';
import { once } from './fields.js';

/** Her shifts in her own calendar: the address, and a password of its own that is shown once. `doors` is the Api. */
export function calendarFeed(doors) {
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const made = h('dl', { class: 'feed' });
  const make = ({ currentTarget }) => once(currentTarget, trouble, async () => {
    const told = await doors.post('/api/rota/feed');
    made.replaceChildren(...line('feed.address', location.origin + told.address), ...line('feed.name', told.user), ...line('feed.password', told.password));
  });
  return h('details', {}, h('summary', {}, words.t('feed.title')), h('p', {}, words.t('feed.lede')), button(words.t('feed.make'), make), trouble, made);
}

function line(key, value) {
  return [h('dt', {}, words.t(key)), h('dd', {}, h('code', { tabindex: '0' }, value))];
}
