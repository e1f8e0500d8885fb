// @ts-check
import { decode } from './wire.js';

const WELCOME_MS = 10_000;

/** The first of these ways that says welcome: {way, line, welcome}; null when none does. */
export async function probe(ways, open) {
  for (const way of ways) {
    const line = await open(way).catch(() => null);
    const welcome = line && (await welcomeOf(line));
    if (welcome) return { way, line, welcome };
  }
  return null;
}

function welcomeOf(line) {
  return new Promise((resolve) => {
    const end = (welcome) => {
      clearTimeout(timer);
      line.onmessage = line.onclose = null;
      if (!welcome) line.close();
      resolve(welcome);
    };
    const timer = setTimeout(end, WELCOME_MS, null);
    line.onclose = () => end(null);
    line.onmessage = ({ data }) => {
      const frame = decode(data);
      end(frame?.op === 'welcome' ? frame : null);
    };
  });
}
