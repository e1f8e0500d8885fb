// @ts-check
/** A module of elements and its styles, fetched when they are first wanted; `sheets.js` knows which. */
export async function later(name) {
  const [module] = await Promise.all([import(`./${name}.js`), import('./sheets.js').then(({ dress }) => dress(name))]);
  return module;
}

/** Fetches everything there is time for now: what is wanted next may be wanted without a network. */
export async function ahead() {
  const { all } = await import('./sheets.js');
  for (const name of all()) later(name).catch(() => {});
}
