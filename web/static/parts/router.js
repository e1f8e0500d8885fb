// @ts-check
/** The place an address names: {name, part?: of a sheet, room?, seq?, who?: a persona there}; `lost` for one that names nothing. */
export function placeOf({ pathname, hash = '' }) {
  const path = decodeURI(pathname).replace(/^\/+|\/+$/g, '');
  if (!path) return { name: 'home' };
  if (/^[a-z]+$/.test(path)) return { name: path, part: /^#[\w=-]{1,80}$/.exec(hash)?.[0].slice(1) };
  if (!path.startsWith('rooms/')) return { name: 'lost' };
  const seq = /^#[1-9]\d{0,15}$/.test(hash) ? Number(hash.slice(1)) : undefined;
  return { name: 'room', room: path.slice('rooms/'.length), seq, who: /^#who=([\w-]{1,64})$/.exec(hash)?.[1] };
}

export function addressOf({ name, part, room, seq, who }) {
  if (name === 'home') return '/';
  if (name !== 'room') return `/${name}${part ? `#${part}` : ''}`;
  return encodeURI(`/rooms/${room}`) + (seq ? `#${seq}` : who ? `#who=${who}` : '');
}
