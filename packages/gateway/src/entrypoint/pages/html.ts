/** HTML that is safe by construction: what is put into a template is escaped, unless it is HTML that a template made. */

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | readonly Html[] | undefined;

/** Undefined stands for nothing. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let text = strings[0] ?? '';
  for (const [index, part] of parts.entries()) text += textOf(part) + (strings[index + 1] ?? '');
  return new Html(text);
}

function textOf(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.text;
  return typeof part === 'object' ? part.map(({ text }) => text).join('') : escapeHtml(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (one) => ENTITIES[one] ?? one);

/**
 * Characters that are not seen, or that change how others are seen: controls, format characters (bidirectional ones, zero
 * widths, tags), surrogates without a partner, private use, line separators, fillers, variation selectors, and every space
 * but the ordinary one. Whoever approves must see that they are there.
 */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u;

/** A stranger's text, on one line: every unseen character stands there by its number. */
export const seen = (text: string): Html => new Html(marked(text, false));

/** The same over several lines: a line feed is shown, and then breaks the line. */
export const seenLines = (text: string): Html => new Html(marked(text, true));

function marked(text: string, breakLines: boolean): string {
  let result = '';
  let plainFrom = 0;
  let at = 0;
  for (const character of text) {
    const next = at + character.length;
    if (UNSEEN.test(character)) {
      result += escapeHtml(text.slice(plainFrom, at)) + mark(character, breakLines);
      plainFrom = next;
    }
    at = next;
  }
  return result + escapeHtml(text.slice(plainFrom));
}

function mark(character: string, breakLines: boolean): string {
  if (breakLines && character === '\n') return '<span class="odd line">↵</span>\n';
  const number = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `<span class="odd">U+${number}</span>`;
}
