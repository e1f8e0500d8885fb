// @ts-check
import { words } from '../parts/words.js';
import { button, h, tell, write } from './dom.js';

const QUIET_MS = 30_000;

/** Over a talk: who reads it, one's own switch for signals, and its end. Tells `signals` {on}, `endTalk`. */
export class TalkBar extends HTMLElement {
  connectedCallback() {
    if (this.firstChild) return;
    const why = { id: 'signals-why', class: 'unseen' };
    this.signals = button('', () => tell(this, 'signals', { on: !this.on }), { class: 'quiet signals', title: words.t('talk.signals_why'), 'aria-describedby': 'signals-why' });
    this.over = button(words.t('talk.end'), () => tell(this, 'endTalk'), { class: 'quiet over' });
    this.append(
      h('p', {}, words.t('talk.private')),
      h('div', { class: 'choices' }, this.signals, h('span', why, words.t('talk.signals_why')), this.over));
  }

  show({ signals, state }) {
    this.on = signals;
    write(this.signals, words.t(signals ? 'talk.turn_off' : 'talk.turn_on'));
    this.over.hidden = this.signals.hidden = state !== 'open';
  }
}

/** Under a talk: that the other one writes, or has seen what was said last. Read out sparingly. */
export class TalkLine extends HTMLElement {
  #toldWriting = 0;
  #toldSeen = 0;

  connectedCallback() {
    if (this.firstChild) return;
    this.sight = h('p', { 'aria-hidden': 'true' });
    this.voice = h('p', { class: 'unseen', 'aria-live': 'polite' });
    this.append(this.sight, this.voice);
  }

  /** `last` is the seq of one's own say when nothing was said after it, else 0. */
  show({ writing, seen, signals, other }, last) {
    const read = signals && last > 0 && seen >= last;
    const who = words.t('talk.writing', { who: other?.name ?? '' });
    write(this.sight, writing ? who : read ? words.t('talk.seen') : '');
    if (writing && Date.now() - this.#toldWriting > QUIET_MS) {
      this.#toldWriting = Date.now();
      this.#tell(who);
    } else if (read && last > this.#toldSeen) {
      this.#toldSeen = last;
      this.#tell(words.t('talk.seen'));
    }
  }

  #tell(text) {
    this.voice.replaceChildren(h('span', {}, text));
  }
}

customElements.define('talk-bar', TalkBar);
customElements.define('talk-line', TalkLine);
