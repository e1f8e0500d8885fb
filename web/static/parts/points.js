// @ts-check
/** Lengths and spans on the wire count code points; JavaScript strings count UTF-16 units. */
export function length(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/**
 * Cuts a text at its spans: [{text, span}] in order, `span` absent between them.
 * Spans that overlap or lie outside are clipped, so that no character is lost or doubled.
 */
export function pieces(text, spans = []) {
  const points = Array.from(text);
  const found = [];
  let at = 0;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    const start = Math.max(at, span.start);
    const end = Math.min(points.length, span.end);
    if (end <= start) continue;
    if (start > at) found.push({ text: points.slice(at, start).join('') });
    found.push({ text: points.slice(start, end).join(''), span });
    at = end;
  }
  if (at < points.length) found.push({ text: points.slice(at).join('') });
  return found;
}

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
