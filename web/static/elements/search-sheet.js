// @ts-check
import { pieces } from '../parts/spans.js';
import { addressOf } from '../parts/router.js';
import { words } from '../parts/words.js';
import { badge } from './message-row.js';
import { button, h, markButton, put, tell, write } from './dom.js';
import { when } from './when.js';

/** Search over what one may read. The words typed go to the socket, never into an address. */
export class SearchSheet extends HTMLElement {
  #search;
  #titleOf;
  #turn = 0;

  connectedCallback() {
    if (this.firstChild) return;
    this.heading = h('h2', { tabindex: '-1' }, words.t('search.title'));
    this.query = h('input', { type: 'search', id: 'query', name: 'q', autocomplete: 'off', enterkeyhint: 'search' });
    this.here = h('input', { type: 'checkbox', id: 'here' });
    this.hereName = h('span', {});
    this.hereLabel = h('label', { for: 'here', class: 'here' }, this.here, this.hereName);
    this.said = h('p', { class: 'said', role: 'status' });
    this.hits = h('ol', { class: 'hits' });
    this.more = button(words.t('search.more'), () => this.#find(this.cursor), { class: 'quiet', hidden: true });
    const form = h('form', { role: 'search' },
      h('label', { for: 'query' }, words.t('search.label')),
      h('div', { class: 'ask' }, this.query, h('button', { type: 'submit', class: 'primary' }, words.t('search.go'))),
      this.hereLabel);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#find();
    });
    this.append(
      h('header', { class: 'sheet-head' }, this.heading, markButton('close', words.t('dialog.close'), () => tell(this, 'back'))),
      form, this.said, this.hits, this.more);
  }

  /** `search({q, room, cursor})` gives {hits, cursor?}; `titleOf(id)` names a room. */
  open({ search, titleOf }) {
    this.#search = search;
    this.#titleOf = titleOf;
  }

  /** The room that the search may be narrowed to, or null. */
  within(room, only) {
    this.hereLabel.hidden = !room;
    this.room = room;
    if (!room || only !== undefined) this.here.checked = !!room && !!only;
    if (room) write(this.hereName, words.t('search.here', { room: this.#titleOf(room) }));
  }

  ask(q) {
    if (q) this.query.value = q;
    this.query.focus();
    this.query.select();
    if (q) this.#find();
  }

  async #find(cursor) {
    const q = this.query.value.trim();
    if (!q) return;
    const turn = ++this.#turn;
    if (!cursor) this.hits.replaceChildren();
    this.more.hidden = true;
    write(this.said, words.t('search.looking'));
    try {
      const found = await this.#search({ q, room: this.here.checked ? this.room : undefined, cursor });
      if (turn === this.#turn) this.#show(found);
    } catch (refusal) {
      if (turn === this.#turn) write(this.said, words.refusal(refusal));
    }
  }

  #show({ hits, cursor }) {
    this.cursor = cursor;
    this.more.hidden = !cursor;
    this.hits.append(...hits.map((hit) => h('li', {}, this.#hit(hit))));
    const n = this.hits.childElementCount;
    write(this.said, n ? words.count(cursor ? 'search.first' : 'search.found', n) : words.t('search.none'));
  }

  #hit(hit) {
    const parts = pieces(hit.snippet, hit.marks ?? []).map(({ text, span }) => (span ? h('mark', {}, text) : text));
    const link = h('a', { href: addressOf({ name: 'room', room: hit.room, seq: hit.seq }), class: 'hit' },
      h('span', { class: 'hit-head' }, h('b', {}, this.#titleOf(hit.room)), when(hit.at)),
      h('span', { class: 'snippet', dir: 'auto' }, ...parts),
      h('span', { class: 'hit-by' }, badge(hit.by ?? {}), hit.by?.name ? ` — ${hit.by.name}` : ''));
    link.addEventListener('click', () => {
      for (const other of this.hits.querySelectorAll('[aria-current]')) put(other, 'aria-current', null);
      put(link, 'aria-current', 'true');
    });
    return link;
  }
}

customElements.define('search-sheet', SearchSheet);
