// @ts-check
/** The beginning of a text, cut between code points. */
export function start(text, limit) {
  const points = Array.from(text.replace(/[ \t\r\n]+/g, ' ').trim());
  return points.length <= limit ? points.join('') : `${points.slice(0, limit).join('').trim()}…`;
}

/** Lower case without accents or ligatures: how titles and filters are compared. */
export function fold(text) {
  const bare = text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  return bare.replaceAll('œ', 'oe').replaceAll('æ', 'ae').replaceAll('’', "'");
}
