/**
 * Says where a text stops being JSON (RFC 8259). Runs only after `JSON.parse` has refused a text: the engine's own message
 * names no position for most errors, and quotes the text.
 */

const SPACE = /[ \t\n\r]*/y;
const NUMBER_OR_LITERAL = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Past what `pattern` matches at `from`; `from` itself when it does not match. */
function past(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

type Scan = { readonly end: number } | { readonly error: number };

function scanString(text: string, from: number): Scan {
  let index = from + 1;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    if (code === 0x22) return { end: index + 1 };
    if (code < 0x20) return { error: index };
    const next = code === 0x5c ? past(ESCAPE, text, index) : index + 1;
    if (next === index) return { error: index + 1 };
    index = next;
  }
  return { error: text.length };
}

function scanScalar(text: string, from: number): Scan {
  if (text[from] === '"') return scanString(text, from);
  const end = past(NUMBER_OR_LITERAL, text, from);
  return end === from ? { error: from } : { end };
}

type Expected = 'value' | 'first-element' | 'key' | 'first-key' | 'colon' | 'comma';

/** The next state after the bracket or comma at `index`, or undefined when it may not stand there. */
function punctuate(character: string, expected: Expected, open: string[]): Expected | undefined {
  const wantsValue = expected === 'value' || expected === 'first-element';
  if (character === '{' || character === '[') {
    if (!wantsValue) return undefined;
    open.push(character);
    return character === '{' ? 'first-key' : 'first-element';
  }
  if (character === '}' || character === ']') {
    const first = character === '}' ? 'first-key' : 'first-element';
    if (expected !== 'comma' && expected !== first) return undefined;
    return open.pop() === (character === '}' ? '{' : '[') ? 'comma' : undefined;
  }
  if (character === ':') return expected === 'colon' ? 'value' : undefined;
  if (expected !== 'comma' || open.length === 0) return undefined;
  return open.at(-1) === '{' ? 'key' : 'value';
}

function errorPosition(text: string): number {
  const open: string[] = [];
  let expected: Expected = 'value';
  let index = past(SPACE, text, 0);
  while (index < text.length) {
    const character = text.charAt(index);
    if (expected === 'comma' && open.length === 0) return index;
    if ('{}[],:'.includes(character)) {
      const next = punctuate(character, expected, open);
      if (next === undefined) return index;
      expected = next;
      index += 1;
    } else {
      const wantsKey: boolean = expected === 'key' || expected === 'first-key';
      if (expected === 'comma' || expected === 'colon' || (wantsKey && character !== '"')) return index;
      const scan = scanScalar(text, index);
      if ('error' in scan) return scan.error;
      expected = wantsKey ? 'colon' : 'comma';
      index = scan.end;
    }
    index = past(SPACE, text, index);
  }
  return text.length;
}

/** Completes the sentence "The body is not valid JSON: …". */
export function syntaxErrorAt(text: string): string {
  const position = errorPosition(text);
  return position >= text.length ? 'it ends before its value does' : `there is an error at position ${position}`;
}
