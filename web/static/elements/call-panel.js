// @ts-check
import { words } from '../parts/words.js';
import { button, h, hidden, put, tell, write } from './dom.js';
import { lasting } from './consult-figures.js';
import { once } from './fields.js';

const MINUTES = [30, 60, 120, 240, 480];
const LOOK_MS = 30_000;

/** Under one's rooms: whether one is available now, and until when; and the ways to a quick second opinion. */
export class CallPanel extends HTMLElement {
  #clock = 0;

  /** `doors` is the Api. */
  open({ doors }) {
    this.doors = doors;
    this.until = null;
    this.standing = h('p', { role: 'status' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.switch = button('', () => this.turn(), { class: 'quiet' });
    this.times = h('div', { class: 'choices times', role: 'group', 'aria-label': words.t('available.how_long'), hidden: true },
      ...MINUTES.map((minutes) => button(lasting(minutes * 60), ({ currentTarget }) => this.#on(currentTarget, minutes))));
    this.append(
      h('div', { class: 'list-head' }, h('h2', {}, words.t('available.title')), this.switch),
      this.standing, this.times, this.trouble,
      h('p', { class: 'quick' },
        button(words.t('ask.title'), () => tell(this, 'asknow'), { class: 'primary' }),
        h('a', { class: 'button', href: '/page' }, words.t('page.title')),
        h('a', { class: 'button', href: '/case' }, words.t('case.title')),
        h('a', { class: 'button', href: '/oncall' }, words.t('oncall.title'))));
    this.#clock = setInterval(() => this.#draw(), LOOK_MS);
    this.#draw();
    this.#ask();
  }

  disconnectedCallback() {
    clearInterval(this.#clock);
  }

  get isOn() {
    return !!this.until && Date.parse(this.until) > Date.now();
  }

  /** Off at once; on, once it is said for how long. */
  turn() {
    if (this.isOn) return once(this.switch, this.trouble, () => this.#off());
    this.times.hidden = !this.times.hidden;
    put(this.switch, 'aria-expanded', String(!this.times.hidden));
    if (!this.times.hidden) this.times.querySelector('button').focus();
    return undefined;
  }

  async #ask() {
    const { until } = await this.doors.get('/api/available').catch(() => ({}));
    this.until = until ?? null;
    this.#draw();
  }

  #on(control, minutes) {
    return once(control, this.trouble, async () => {
      ({ until: this.until } = await this.doors.put('/api/available', { minutes }));
      this.times.hidden = true;
      this.#draw();
      this.switch.focus();
    });
  }

  async #off() {
    await this.doors.delete('/api/available');
    this.until = null;
    this.#draw();
  }

  #draw() {
    const { isOn } = this;
    this.classList.toggle('on', isOn);
    write(this.standing, isOn ? words.t('available.until', { at: words.hour(this.until) }) : words.t('available.off'));
    const label = words.t(isOn ? 'available.switch_off' : 'available.switch_on');
    if (this.switch.dataset.label !== label) this.switch.replaceChildren(label, hidden(` ${words.t('available.title')}`));
    this.switch.dataset.label = label;
    put(this.switch, 'aria-expanded', isOn ? null : String(!this.times.hidden));
    if (isOn) this.times.hidden = true;
  }
}

customElements.define('call-panel', CallPanel);
