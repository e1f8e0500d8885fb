// @ts-check
import { words } from '../parts/words.js';
import { button, h, write } from './dom.js';
import { choice, once } from './fields.js';

const HOURS = [2, 4, 8, 12];
const MINUTES = 60;
const LEFT_MS = 60_000;

/** Whether this moderator is told of urgent reports: on for as long as she says. */
export class DutySwitch extends HTMLElement {
  #timer = 0;

  open({ doors, say }) {
    Object.assign(this, { doors, say });
    if (!this.firstChild) this.#build();
    return this.#look();
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
  }

  #build() {
    this.said = h('p', { class: 'duty-said' });
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.hours = choice('duty-hours', words.t('moderation.duty_hours'), HOURS.map((n) => [String(n), words.count('moderation.hours', n)]));
    this.turn = button('', ({ currentTarget }) => once(currentTarget, this.trouble, () => this.#turned()));
    this.append(this.said, this.hours, this.turn, this.trouble);
    this.hours.querySelector('select').value = '8';
  }

  async #look() {
    await once(this.turn, this.trouble, async () => this.#show(await this.doors.get('/api/duty')));
  }

  #show({ until }) {
    clearTimeout(this.#timer);
    this.isOn = Boolean(until) && Date.parse(until) > Date.now();
    this.classList.toggle('on', this.isOn);
    write(this.said, this.isOn ? words.t('moderation.duty_until', { until: words.hour(until) }) : words.t('moderation.duty_off'));
    write(this.turn, words.t(this.isOn ? 'moderation.duty_end' : 'moderation.duty_begin'));
    this.hours.hidden = this.isOn;
    if (this.isOn) this.#timer = setTimeout(() => this.#show({ until }), Date.parse(until) - Date.now() + LEFT_MS);
  }

  async #turned() {
    const minutes = Number(this.hours.querySelector('select').value) * MINUTES;
    this.#show(this.isOn ? await this.doors.delete('/api/duty') : await this.doors.put('/api/duty', { minutes }));
    this.say(this.said.textContent);
  }
}

customElements.define('duty-switch', DutySwitch);
