// @ts-check
/** Lengths and spans on the wire count code points; JavaScript strings count UTF-16 units. */
export function length(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Where a code point of a text stands in its JavaScript string. */
export function unit(text, point) {
  return Array.from(text).slice(0, point).join('').length;
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

/** The spans of a text as they stand after it was changed in one place; those that were touched are gone. */
export function moved(before, after, spans) {
  if (!spans.length || before === after) return spans;
  const [old, now] = [Array.from(before), Array.from(after)];
  const shorter = Math.min(old.length, now.length);
  let head = 0;
  while (head < shorter && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const by = now.length - old.length;
  const kept = spans.filter(({ start, end }) => end <= head || start >= old.length - tail);
  return kept.map((span) => (span.end <= head ? span : { ...span, start: span.start + by, end: span.end + by }));
}
