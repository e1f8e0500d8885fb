// @ts-check
import { fold } from '../parts/points.js';
import { words } from '../parts/words.js';
import { button, h, icon, put, tell, write } from './dom.js';

const MOST = 5;
const OFFERED = 6;

/** Which specialties are asked, one to five: chosen by the beginning of a name. Tells `chosen` when that changes. */
export class SpecialtyChooser extends HTMLElement {
  #chosen = [];

  connectedCallback() {
    if (this.firstChild) return;
    this.list = h('ul', { class: 'chips', 'aria-label': words.t('case.specialties') });
    this.query = h('input', { type: 'text', id: 'field-specialty', autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'specialty-hint specialty-found specialty-trouble' });
    this.found = h('p', { class: 'said', id: 'specialty-found', role: 'status' });
    this.offered = h('ul', { class: 'offered' });
    this.trouble = h('p', { class: 'trouble', id: 'specialty-trouble', role: 'alert' });
    this.append(this.list,
      h('div', { class: 'labelled' }, h('label', { for: 'field-specialty' }, words.t('case.specialties.add')), h('span', { class: 'hint', id: 'specialty-hint' }, words.t('case.specialties.hint')), this.query),
      this.found, this.offered, this.trouble);
    this.query.addEventListener('input', () => this.#offer());
    this.query.addEventListener('keydown', (event) => this.#key(event));
    this.#draw();
  }

  get value() {
    return [...this.#chosen];
  }

  set value(slugs) {
    this.#chosen = slugs.slice(0, MOST);
    if (this.list) this.#draw();
  }

  /** Says what is wrong with the choice, and goes there. */
  refuse(why) {
    write(this.trouble, why);
    put(this.query, 'aria-invalid', 'true');
    this.query.focus();
  }

  #draw() {
    this.list.hidden = !this.#chosen.length;
    this.list.replaceChildren(...this.#chosen.map((slug) => h('li', {}, this.#chip(slug))));
    const full = this.#chosen.length >= MOST;
    this.query.disabled = full;
    this.query.value = '';
    this.offered.replaceChildren();
    write(this.found, full ? words.t('case.specialties.full') : '');
    write(this.trouble, '');
    put(this.query, 'aria-invalid', null);
  }

  #chip(slug) {
    const name = words.specialty(slug);
    const away = words.t('case.specialties.remove', { name });
    return h('button', { type: 'button', class: 'chip', 'aria-label': away, title: away, on: { click: () => this.#change(this.#chosen.filter((one) => one !== slug)) } }, h('span', {}, name), icon('close'));
  }

  #change(slugs) {
    this.#chosen = slugs;
    this.#draw();
    this.query.focus();
    tell(this, 'chosen');
  }

  #offer() {
    const typed = fold(this.query.value.trim());
    const matching = typed ? this.#matching(typed) : [];
    this.offered.replaceChildren(...matching.slice(0, OFFERED).map(([slug, name]) => h('li', {}, button(name, () => this.#change([...this.#chosen, slug]), { data: { slug } }))));
    write(this.trouble, '');
    write(this.found, !typed ? '' : matching.length ? words.count('case.specialties.found', matching.length) : words.t('case.specialties.none_found'));
  }

  /** What begins with the letters comes before what has them elsewhere. */
  #matching(typed) {
    const rank = ([, name]) => (fold(name).startsWith(typed) ? 0 : 1);
    const fits = ([slug, name]) => fold(name).includes(typed) && !this.#chosen.includes(slug);
    return words.choices('specialties').filter(fits).sort((one, other) => rank(one) - rank(other));
  }

  #key(event) {
    if (event.key === 'Enter') {
      event.preventDefault();
      this.offered.querySelector('button')?.click();
    } else if (event.key === 'Escape' && this.query.value) {
      event.preventDefault();
      this.#draw();
    }
  }
}

customElements.define('specialty-chooser', SpecialtyChooser);
