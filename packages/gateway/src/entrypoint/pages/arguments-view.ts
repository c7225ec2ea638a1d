/**
 * The arguments of a call, for the person who has to answer for it. Each has a box of its own, so that no text can pass for
 * another argument; nothing is interpreted, what cannot be seen is made visible, and what is left out is said.
 */

import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import { Html, markup, seen, seenLines } from './html.ts';

/** Characters shown of one argument, and of all together. */
const MAX_VALUE = 8_000;
const MAX_ALL = 48_000;
const MAX_ARGUMENTS = 100;
const MAX_DEPTH = 12;
const MAX_NAME = 300;

const shortened = (name: string): string => (name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name);

export type ArgumentsView = { readonly html: Html; /** Something is not on the page. */ readonly cut: boolean };

type Room = { left: number; cut: boolean };

export function argumentsView(args: JsonObject): ArgumentsView {
  const names = Object.keys(args);
  if (names.length === 0) return { html: markup`<p class="lead">None: the call has no arguments.</p>`, cut: false };
  const all: Room = { left: MAX_ALL, cut: names.length > MAX_ARGUMENTS };
  const rows = names.slice(0, MAX_ARGUMENTS).map((name) => row(name, args[name] ?? null, all));
  const hidden = names.length - rows.length;
  const rest = hidden > 0 ? markup`<p class="more">${hidden} more arguments are not shown.</p>` : undefined;
  return {
    html: markup`<dl class="args">${rows}</dl>
      ${rest}`,
    cut: all.cut,
  };
}

function row(name: string, value: Json, all: Room): Html {
  const room: Room = { left: Math.min(MAX_VALUE, Math.max(0, all.left)), cut: false };
  const before = room.left;
  const shown = box(value, room);
  if (name.length > MAX_NAME) room.cut = true;
  all.left -= before - room.left;
  all.cut ||= room.cut;
  return markup`<div>
    <dt><code>${seen(shortened(name))}</code><small>${kindOf(value)}</small></dt>
    <dd>${shown}</dd>
  </div>`;
}

function kindOf(value: Json): string {
  if (typeof value === 'string')
    return value.length === 1 ? 'text, 1 character' : `text, ${count(value.length)} characters`;
  if (Array.isArray(value)) return value.length === 1 ? 'list, 1 item' : `list, ${count(value.length)} items`;
  if (typeof value === 'object' && value !== null) return 'object';
  return value === null ? 'null' : typeof value;
}

const count = (number: number): string => number.toLocaleString('en-US');

function box(value: Json, room: Room): Html {
  if (typeof value === 'string') {
    if (value === '') return markup`<div class="value"><small>empty</small></div>`;
    const [text, left] = cutTo(value, room);
    return markup`<pre class="value text">${seenLines(text)}${left}</pre>`;
  }
  if (typeof value === 'object' && value !== null) return markup`<pre class="value">${nested(value, room, 0)}</pre>`;
  return markup`<pre class="value other">${String(value)}</pre>`;
}

function cutTo(text: string, room: Room): readonly [string, Html | undefined] {
  if (text.length <= room.left) {
    room.left -= text.length;
    return [text, undefined];
  }
  const shown = text.slice(0, room.left);
  room.left = 0;
  room.cut = true;
  return [
    shown,
    markup`<span class="more"> … ${count(text.length - shown.length)} more characters are not shown</span>`,
  ];
}

/** JSON as its structure is, with texts on one line: a line feed inside one stands there as its number. */
function nested(value: Json, room: Room, depth: number): Html {
  if (room.left <= 0 || depth > MAX_DEPTH) {
    room.cut = true;
    return markup`<span class="more">… not shown</span>`;
  }
  if (typeof value === 'string') {
    const [text, left] = cutTo(value, room);
    return markup`<span class="s">"${seen(text)}"</span>${left}`;
  }
  if (Array.isArray(value)) {
    return bracketed(
      '[',
      ']',
      depth,
      parts(value, room, (item: Json) => nested(item, room, depth + 1)),
    );
  }
  if (!isJsonObject(value)) {
    room.left -= 8;
    return markup`<span class="n">${JSON.stringify(value)}</span>`;
  }
  const entry = ([key, item]: [string, Json | undefined]): Html => {
    room.left -= key.length;
    if (key.length > MAX_NAME) room.cut = true;
    return markup`<span class="k">"${seen(shortened(key))}"</span>: ${nested(item ?? null, room, depth + 1)}`;
  };
  return bracketed('{', '}', depth, parts(Object.entries(value), room, entry));
}

function parts<Item>(items: readonly Item[], room: Room, show: (item: Item) => Html): readonly Html[] {
  const shown: Html[] = [];
  for (const item of items) {
    if (room.left <= 0) {
      room.cut = true;
      shown.push(markup`<span class="more">… ${count(items.length - shown.length)} more are not shown</span>`);
      break;
    }
    room.left -= 4;
    shown.push(show(item));
  }
  return shown;
}

function bracketed(open: string, close: string, depth: number, items: readonly Html[]): Html {
  if (items.length === 0) return markup`${open}${close}`;
  const indent = '  '.repeat(depth + 1);
  const lines = items.map(({ text }, index) => `\n${indent}${text}${index < items.length - 1 ? ',' : ''}`).join('');
  return new Html(`${open}${lines}\n${'  '.repeat(depth)}${close}`);
}
