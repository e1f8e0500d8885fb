// @ts-check
import { words } from '../parts/words.js';
import { houseTexts } from './house-words.js';
import { button, h, put, tell, write } from './dom.js';
import { languages } from './sign-in.js';
import { usualFace } from './usual-face.js';

/**
 * Three short screens, accepted one by one before the first room, and the question how one is
 * usually seen. Tells `accepted`.
 */
export class JoiningScreens extends HTMLElement {
  #at = 0;

  /** `house` as of /api/house. */
  open({ doors, house }) {
    Object.assign(this, { doors, texts: house.texts });
    const [not, never, who, style] = houseTexts(house);
    this.screens = [[not], [never], [who, style]];
    this.#draw();
  }

  #draw() {
    const texts = this.screens[this.#at];
    const last = this.#at === this.screens.length - 1;
    const heading = h('h1', { tabindex: '-1' }, texts[0][0]);
    const said = h('p', { class: 'trouble', role: 'alert' });
    const yes = button(words.t(last ? 'about.accept' : 'about.understood'), () => (last ? this.#accept(yes, said) : this.#go(1)), { class: 'primary' });
    this.replaceChildren(
      languages(words.lang, (lang) => tell(this, 'language', { lang })),
      h('div', { class: 'door' },
        h('p', { class: 'foot' }, words.t('about.step', { n: this.#at + 1, of: this.screens.length })),
        heading, ...texts[0].slice(1),
        ...texts.slice(1).flatMap(([title, ...rest]) => [h('h2', {}, title), ...rest]),
        said,
        h('div', { class: 'choices' }, yes,
          this.#at ? button(words.t('app.back'), () => this.#go(-1), { class: 'quiet' }) : '',
          button(words.t('account.sign_out'), () => tell(this, 'signout'), { class: 'quiet' }))));
    heading.focus();
  }

  #go(step) {
    this.#at += step;
    this.#draw();
    window.scrollTo(0, 0);
  }

  /** Asked once, here; whoever leaves without an answer is anonymous. */
  #ask() {
    const heading = h('h1', { tabindex: '-1' }, words.t('face.usual'));
    const form = usualFace({ doors: this.doors, label: words.t('about.enter'), done: () => tell(this, 'accepted') });
    this.replaceChildren(h('div', { class: 'door' }, heading, h('p', { class: 'lede' }, words.t('face.usual_lede')), form));
    heading.focus();
    window.scrollTo(0, 0);
  }

  async #accept(yes, said) {
    put(yes, 'aria-busy', 'true');
    try {
      await this.doors.post('/api/application/accept', { version: this.texts });
      this.#ask();
    } catch (refusal) {
      put(yes, 'aria-busy', null);
      write(said, words.refusal(refusal));
    }
  }
}

customElements.define('joining-screens', JoiningScreens);
