// @ts-check
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The catalogue and the customs of one language. Loaded once before anything is shown. */
class Words {
  lang = 'en';
  #catalogue = { words: {}, specialties: {}, groups: {}, countries: {}, bodies: {} };

  async load(lang) {
    const response = await fetch(`/words/${lang}.json`);
    if (!response.ok) throw new Error(`no words for ${lang}: ${response.status}`);
    this.use(lang, await response.json());
  }

  use(lang, catalogue) {
    this.lang = lang;
    this.#catalogue = { ...this.#catalogue, ...catalogue };
    this.plurals = new Intl.PluralRules(lang);
    this.numbers = new Intl.NumberFormat(lang);
    this.relative = new Intl.RelativeTimeFormat(lang, { numeric: 'always', style: 'short' });
    this.clock = new Intl.DateTimeFormat(lang, { timeStyle: 'short' });
    this.short = new Intl.DateTimeFormat(lang, { dateStyle: 'medium', timeStyle: 'short' });
    this.full = new Intl.DateTimeFormat(lang, { dateStyle: 'full', timeStyle: 'medium' });
    this.dates = new Intl.DateTimeFormat(lang, { dateStyle: 'long' });
    this.long = new Intl.DateTimeFormat(lang, { dateStyle: 'full' });
  }

  has(key) {
    return key in this.#catalogue.words;
  }

  /** The words of a key; numbers among the values are set as the language sets them. */
  t(key, values = {}) {
    const text = this.#catalogue.words[key];
    if (text === undefined) console.warn(`lounge: no words for ${key}`);
    return (text ?? key).replace(/\{(\w+)\}/g, (_, name) => this.#set(values[name] ?? ''));
  }

  /** As `t`, of key.one or key.other. */
  count(key, n, values = {}) {
    const form = this.plurals.select(n) === 'one' ? 'one' : 'other';
    return this.t(`${key}.${form}`, { n, ...values });
  }

  /** What a code is called, or the code. */
  coded(prefix, code) {
    return this.has(`${prefix}.${code}`) ? this.t(`${prefix}.${code}`) : code;
  }

  /** A refusal in words: the server's own, or ours for what no server said. */
  refusal({ code, words }) {
    if (words) return words;
    return this.has(`trouble.${code}`) ? this.t(`trouble.${code}`) : this.t('trouble.internal');
  }

  title(title) {
    return title?.[this.lang] ?? title?.en ?? '';
  }

  /** Every [code, name] of `countries`, `specialties` or `bodies`, by name. */
  choices(kind) {
    return Object.entries(this.#catalogue[kind]).sort(([, one], [, other]) => one.localeCompare(other, this.lang));
  }

  country(code) {
    return this.#catalogue.countries[code] ?? code;
  }

  /** Who licenses doctors: "us.npi" in words. */
  body(id) {
    return this.#catalogue.bodies[id] ?? id;
  }

  specialty(slug) {
    return this.#catalogue.specialties[slug] ?? slug;
  }

  /** What a badge says of the art of its bearer: "Cardiology", "Surgery, trainee". */
  art({ specialty, group, grade } = {}) {
    const art = specialty ? this.specialty(specialty) : this.#catalogue.groups[group] ?? group;
    const parts = [art ?? this.t('badge.doctor')];
    if (grade === 'trainee') parts.push(this.t('badge.trainee'));
    return parts.join(', ');
  }

  /** A badge as it is read out or listed: "Cardiology · Canada". */
  badge(badge = {}) {
    return [this.art(badge), badge.country && this.country(badge.country)].filter(Boolean).join(' · ');
  }

  /** How many are here, as the band that is told. */
  band(present) {
    if (!present) return '';
    const { min, max } = present;
    if (min === 0) return this.t('band.most', { max });
    if (max === undefined || max === null) return this.t('band.least', { min });
    return min === max ? this.count('band', min) : this.t('band.range', { min, max });
  }

  /** Relative up to a day, then absolute. `at` is RFC 3339, `now` in milliseconds. */
  time(at, now = Date.now()) {
    const seconds = Math.max(0, (now - Date.parse(at)) / 1000);
    if (seconds < 45) return this.t('time.now');
    if (seconds < HOUR) return this.relative.format(-Math.max(1, Math.round(seconds / MINUTE)), 'minute');
    if (seconds < DAY) return this.relative.format(-Math.round(seconds / HOUR), 'hour');
    return this.short.format(new Date(at));
  }

  exact(at) {
    return this.full.format(new Date(at));
  }

  date(at) {
    return this.dates.format(new Date(at));
  }

  hour(at) {
    return this.clock.format(new Date(at));
  }

  /** The heading of a day: today, yesterday, or its date. */
  day(at, now = Date.now()) {
    const days = Math.round((midnight(now) - midnight(at)) / (DAY * 1000));
    if (days === 0) return this.t('time.today');
    return days === 1 ? this.t('time.yesterday') : this.long.format(new Date(at));
  }

  #set(value) {
    return typeof value === 'number' ? this.numbers.format(value) : value;
  }
}

/** The local midnight before a moment: entries with the same one were made on the same day. */
export function midnight(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}

export const words = new Words();
