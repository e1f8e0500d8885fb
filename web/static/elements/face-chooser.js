// @ts-check
import { words } from '../parts/words.js';
import { button, h, icon, openDialog, write } from './dom.js';
import { once } from './fields.js';
import { makeRow } from './message-row.js';
import { field } from './sign-in.js';

const FACES = ['anonymous', 'screen', 'named'];

/**
 * As whom one speaks in a room: the face, how much of the badge, and exactly what others will see.
 * `preview(as, exact)` asks the server; `choose`, `retire`, `call(name)` and `about` act.
 */
export function openFaces(given) {
  const chooser = new FaceChooser(given);
  chooser.dialog = openDialog(words.t('face.title'), { class: 'faces' }, chooser.form);
  chooser.look();
}

class FaceChooser {
  #asked = 0;

  constructor({ room, preview, choose, retire, call, about }) {
    Object.assign(this, { room, preview, choose, retire, call, about });
    this.as = room.face.as;
    this.trouble = h('p', { class: 'trouble', role: 'alert' });
    this.seen = h('div', { class: 'seen', role: 'group', 'aria-label': words.t('face.preview') });
    this.thin = h('p', { class: 'thin', hidden: true });
    this.second = this.#spoken();
    this.exact = h('input', { type: 'checkbox', name: 'exact', checked: room.exact, 'aria-describedby': 'exact-hint' });
    this.name = this.#naming();
    this.always = h('button', { type: 'submit', class: 'primary' }, words.t('face.always'));
    this.next = button(words.t('face.once'), () => this.#wear(true), {});
    this.form = this.#build();
  }

  #build() {
    const faces = FACES.map((as) => h('label', { class: 'radio' }, h('input', { type: 'radio', name: 'as', value: as, checked: as === this.as, 'aria-describedby': `as-${as}` }),
      h('span', {}, h('b', {}, words.t(`face.as.${as}`)), h('span', { class: 'hint', id: `as-${as}` }, words.t(`face.as.${as}.hint`)))));
    const form = h('form', {},
      h('h2', {}, words.t('face.title')),
      h('div', { class: 'sticky' }, h('h3', {}, words.t('face.preview')), this.seen, this.thin),
      h('fieldset', {}, h('legend', { class: 'unseen' }, words.t('face.title')), ...faces),
      this.name,
      h('label', { class: 'radio' }, this.exact, h('span', {}, h('b', {}, words.t('face.exact')), h('span', { class: 'hint', id: 'exact-hint' }, words.t('face.exact_hint')))),
      this.second, this.trouble,
      h('div', { class: 'choices' }, this.always, this.next, button(words.t('dialog.cancel'), () => this.dialog.close(), { class: 'quiet' })),
      this.#giveUp(),
      h('p', {}, button(words.t('about.open'), () => this.about(), { class: 'quiet' })));
    form.addEventListener('change', ({ target }) => {
      if (target.name === 'as') this.as = target.value;
      if (target.name === 'as' || target === this.exact) this.look();
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#wear(false);
    });
    return form;
  }

  /** Asks what others would see, and shows it as the very row that they will get. */
  async look() {
    const asked = ++this.#asked;
    this.name.hidden = this.as !== 'screen';
    try {
      const { by, crowd } = await this.preview(this.as, this.exact.checked);
      if (asked === this.#asked) this.#show(by, crowd);
    } catch (refusal) {
      if (asked === this.#asked) this.#refused(refusal);
    }
  }

  #show(by, crowd) {
    this.by = by;
    const entry = { seq: 0, kind: 'say', by, text: words.t('face.sample'), at: new Date().toISOString() };
    const row = makeRow(entry, { grouped: false, mine: false, reacted: [], address: '' });
    row.removeAttribute('tabindex');
    this.seen.replaceChildren(row);
    this.thin.hidden = !crowd?.thin || this.as === 'named'; // who shows her name hides among nobody
    if (crowd?.thin) write(this.thin, words.count('compose.thin', crowd.members));
    write(this.trouble, '');
    this.always.disabled = this.next.disabled = false;
    const input = this.name.querySelector('input');
    if (this.as === 'screen' && !input.value) input.value = by.name;
  }

  #refused(refusal) {
    this.seen.replaceChildren(h('p', { class: 'none' }, words.t('face.nothing_yet')));
    write(this.trouble, words.refusal(refusal));
    this.always.disabled = this.next.disabled = true;
  }

  async #wear(onlyNext) {
    const control = onlyNext ? this.next : this.always;
    const worn = await once(control, this.trouble, async () => {
      if (onlyNext) this.room.wearOnce(this.by);
      else await this.choose(this.as, this.exact.checked);
      return true;
    });
    if (worn) this.dialog.close();
  }

  /** The screen name, which is one's own in every room: set here, checked by the server. */
  #naming() {
    const set = button(words.t('face.call'), () => once(set, this.trouble, async () => {
      await this.call(box.querySelector('input').value);
      await this.look();
    }));
    const box = h('div', { class: 'inline', hidden: this.as !== 'screen' }, field('screen', words.t('face.screen_name'), { maxlength: '40', autocomplete: 'nickname', required: false }), set);
    return box;
  }

  /** Says when another face of one's own was heard in what is known of this room. */
  #spoken() {
    const { room } = this;
    const other = room.timeline.latest(200).findLast((entry) => entry.by && room.isMine(entry) && entry.by.id !== room.face.id);
    return other ? h('p', { class: 'second' }, icon('warn'), words.t('face.spoken', { name: other.by.name })) : '';
  }

  #giveUp() {
    const away = button(words.t('face.retire'), () => once(away, this.trouble, async () => {
      await this.retire();
      this.dialog.close();
    }), { class: 'danger' });
    return h('details', {}, h('summary', {}, words.t('face.retire_title')), h('p', {}, words.t('face.retire_lede')), away);
  }
}

/**
 * Before a second face of one's own in one thread: `others` spoke there. `post(face?)` says it after
 * all, with another face for once if one is given; `back` puts what was written where it was.
 */
export function openSecond({ face, others, post, back }) {
  let done = false;
  const then = (other) => () => {
    done = true;
    dialog.close();
    post(other);
  };
  const [other] = others;
  const dialog = openDialog(words.t('face.second_title'), { class: 'faces' },
    h('h2', {}, icon('warn'), ' ', words.t('face.second_title')),
    h('p', {}, words.t('face.second_lede', { worn: face.name, other: other.name })),
    h('div', { class: 'choices' },
      other.as ? button(words.t('face.second_same', { other: other.name }), then(other), { class: 'primary' }) : '',
      button(words.t('face.second_anyway', { worn: face.name }), then(null), {}),
      button(words.t('dialog.cancel'), () => dialog.close(), { class: 'quiet' })));
  dialog.addEventListener('close', () => done || back());
}
