// @ts-check
import { words } from '../parts/words.js';
import { h, write } from './dom.js';

/** What is asked for again and again: an answer that a newer question has overtaken is not shown. */
export class Look {
  #turn = 0;

  /** `ask()` brings what `show(it)` shows; what hinders it stands in `trouble`. */
  constructor(trouble, ask, show) {
    Object.assign(this, { trouble, ask, show });
  }

  async again() {
    const turn = ++this.#turn;
    try {
      const found = await this.ask();
      if (turn !== this.#turn) return;
      this.show(found);
      write(this.trouble, '');
    } catch (refusal) {
      if (turn === this.#turn) write(this.trouble, words.refusal(refusal));
    }
  }
}

/**
 * A list whose lines stay while what they show is there: what is open or written in one is not lost when another
 * comes or goes. `make(item)` gives {element, show(item)}; the order stands still under a pointer or a focus.
 */
export class KeptList {
  #kept = new Map();
  #make;

  constructor(list, make) {
    this.list = list;
    this.#make = make;
    list.addEventListener('keydown', (event) => this.#key(event));
  }

  show(items) {
    const ids = new Set(items.map(({ id }) => id));
    for (const [id, { element }] of this.#kept) if (!ids.has(id)) this.#drop(id, element);
    const still = this.list.matches(':hover, :focus-within');
    for (const item of items) this.#line(item).show(item);
    const before = [...this.list.children].length;
    items.forEach((item, index) => {
      const { element } = this.#kept.get(item.id);
      if (still && before && element.isConnected) return;
      if (still && before) this.list.append(element);
      else if (this.list.children[index] !== element) this.list.insertBefore(element, this.list.children[index] ?? null);
    });
  }

  /** The line that holds a node of the page. */
  at(node) {
    return [...this.#kept.values()].find(({ element }) => element.contains(node));
  }

  #line(item) {
    if (!this.#kept.has(item.id)) this.#kept.set(item.id, this.#make(item));
    return this.#kept.get(item.id);
  }

  // Whose line goes while she is in it stands on the next one, not at the top of the page.
  #drop(id, element) {
    const next = element.nextElementSibling ?? element.previousElementSibling;
    const inside = element.contains(document.activeElement);
    element.remove();
    this.#kept.delete(id);
    if (inside) (next ?? this.list).focus();
  }

  #key(event) {
    const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select')) return;
    const line = this.at(event.target);
    if (step && line?.element[step]) {
      event.preventDefault();
      line.element[step].focus();
      return;
    }
    const act = !step && line?.keys?.()[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

/** A part of the moderators' page that is one such list: what it is for, how many there are, each in a line. */
export class KeptPart extends HTMLElement {
  /** `given`: {doors, titleOf, say}. */
  open(given) {
    Object.assign(this, given);
    if (!this.firstChild) this.#build();
    return this.look();
  }

  look() {
    return this.asked.again();
  }

  #build() {
    const { path, lede, itemsOf } = this.what;
    this.said = h('p', { class: 'said', role: 'status' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.asked = new Look(this.trouble, () => this.doors.get(path), (found) => this.#show(itemsOf(found)));
    const list = h('ul', { class: 'reports', tabindex: '-1' });
    this.append(h('p', { class: 'hint' }, lede), this.said, this.trouble, list);
    this.kept = new KeptList(list, () => this.line());
  }

  #show(items) {
    this.kept.show(items);
    write(this.said, this.what.count(items.length));
  }
}
