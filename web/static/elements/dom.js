// @ts-check
/**
 * Makes an element: h('button', {class: 'quiet', type: 'button', on: {click}}, 'Reply').
 * Strings become text nodes, so nothing that anybody wrote is ever read as markup.
 */
export function h(tag, { on = {}, data = {}, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) put(element, name, value);
  for (const [name, value] of Object.entries(data)) element.dataset[name] = value;
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Sets an attribute; false, null and undefined take it away. */
export function put(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? '' : value);
}

/** Writes only what differs, so that readers of the page hear of no change where there is none. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function button(label, click, attributes = {}) {
  const { mark, ...others } = attributes;
  return h('button', { type: 'button', ...others, on: { click } }, mark ? icon(mark) : null, label);
}

/** A button that shows only its mark; the label is its name and its tooltip. */
export function markButton(mark, label, click, attributes = {}) {
  const named = { type: 'button', 'aria-label': label, title: label, ...attributes };
  return h('button', { ...named, class: `mark ${attributes.class ?? ''}`, on: { click } }, icon(mark));
}

export function hidden(text) {
  return h('span', { class: 'unseen' }, text);
}

/** Tells those above: `detail` travels in a CustomEvent. */
export function tell(element, name, detail) {
  element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
}

/** A dialog that is removed when it closes; focus goes back to where it was. */
export function openDialog(label, attributes, ...children) {
  const dialog = h('dialog', { 'aria-label': label, ...attributes }, ...children);
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

const SVG = 'http://www.w3.org/2000/svg';
// Our own marks: 20 by 20, strokes of 1.5. What is fetched later may bring more.
export const MARKS = {
  back: 'M12.5 4.5 7 10l5.5 5.5',
  search: 'M9 3.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM13 13l4 4',
  close: 'M5 5l10 10M15 5 5 15',
  more: 'M4 10h1M9.5 10h1M15 10h1',
  reply: 'M8 5 3.5 9.5 8 14M4 9.5h7a5 5 0 0 1 5 5V16',
  react: 'M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM7.2 12a3.5 3.5 0 0 0 5.6 0M7.8 8v.01M12.2 8v.01',
  send: 'M10 16V4.5M5 9.5l5-5 5 5',
  down: 'M10 4v11.5M5 10.5l5 5 5-5',
  pin: 'M7 3.5h6M8 3.5v5L5.5 11.5h9L12 8.5v-5M10 11.5V17',
  help: 'M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM8 8a2 2 0 1 1 2.8 1.85c-.6.3-.8.7-.8 1.4M10 13.7v.01',
  account: 'M10 4a3 3 0 1 1 0 6 3 3 0 0 1 0-6ZM4 16.5c.6-3 3-4.5 6-4.5s5.4 1.5 6 4.5',
  shield: 'M10 3l6 2v4.5c0 3.7-2.5 6.3-6 7.5-3.5-1.2-6-3.8-6-7.5V5l6-2ZM7.5 10l2 2 3.5-4',
  face: 'M10 3.5c3.5 0 6 1 6 1v4.5c0 4-2.5 7.5-6 7.5S4 13 4 9V4.5s2.5-1 6-1ZM7 8.5h1.8M11.2 8.5H13',
  wait: 'M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM10 6v4l2.5 2',
  warn: 'M10 3.5 17.5 16h-15L10 3.5ZM10 8.5v3.5M10 14v.01',
  papers: 'M5.5 3h6l3 3v11h-9V3ZM11.5 3v3h3M8 10h4M8 13h4',
  poll: 'M4 16.5V10M10 16.5v-13M16 16.5V7M2.5 16.5h15',
  check: 'M4.5 10.5 8.5 14.5 16 6',
};

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', MARKS[name]);
  svg.append(path);
  return svg;
}

/** Whether the doctor works by finger: then Enter must not send. */
export function byTouch() {
  return matchMedia('(pointer: coarse)').matches;
}
