// @ts-check
const PLACES = new Set(['search', 'account', 'moderation']);

/** The place an address names: {name, room?, seq?}; `lost` for one that names nothing. */
export function placeOf({ pathname, hash = '' }) {
  const path = decodeURI(pathname).replace(/^\/+|\/+$/g, '');
  if (!path) return { name: 'home' };
  if (PLACES.has(path)) return { name: path };
  if (!path.startsWith('rooms/')) return { name: 'lost' };
  const seq = /^#[1-9]\d{0,15}$/.test(hash) ? Number(hash.slice(1)) : undefined;
  return { name: 'room', room: path.slice('rooms/'.length), seq };
}

export function addressOf({ name, room, seq }) {
  if (name === 'home') return '/';
  if (name !== 'room') return `/${name}`;
  return encodeURI(`/rooms/${room}`) + (seq ? `#${seq}` : '');
}
