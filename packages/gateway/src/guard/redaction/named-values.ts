/**
 * Values that stand beside the name of a credential, in whatever a text is written in: JSON and its escaped forms, YAML,
 * `.env`, query strings, headers, flags, XML, connection strings, source code, prose. The name is found first, then what
 * joins the value to it, then the value is judged by the kind of the name.
 */

import { nameKind, type NameKind } from './credential-names.ts';
import { isLongHex, looksRandom } from './randomness.ts';
import { NAME, runEnd, runStart, type Found } from './rule.ts';

/** What the names of `credential-names.ts` have in them. Finding one of these is what most texts cost. */
const HINT =
  /pass|pwd|secret|token|key|auth|cookie|cred|bearer|jwt|session|sess?id|\bsid|sig|connectionstring|connstring|sas\b|otp|\bpin\b|\bcv[vc]|\bpw\b|psk|mnemonic|seed|kennwort|contrase|phone|mobile|cell\b|\bfax|\btel\b|telefon|handy|msisdn|ssn|social|card|\bpan\b|salt|access/gi;

const MAX_NAME_CHARS = 64;
const MAX_VALUE_CHARS = 8192;

/** Sticky, from the end of the name: closing quote, then `:`, `=`, `:=`, `=>`, `%3D`; not a comparison. */
const JOIN = /[\\"'`\]]{0,9}\s{0,4}(?:=>|:=|=(?!=)|:(?!\/\/|:)|%3[Dd]|%3[Aa])[ \t]{0,8}/y;
/** A YAML block: the value is the next line. */
const BLOCK = /[|>][+-]?(?:\r?\n|\\{1,4}n)[ \t]{1,32}(?=\S)/y;
const XML_JOIN = /(?:\s[^<>]{0,80})?>\s{0,8}/y;
const FLAG_JOIN = /["']?,?\s{1,4}["']?(?=[^\s-])/y;
const QUOTE = /(?:\\{0,8}|&quot;|%22)(["'`]|(?<=&quot;)|(?<=%22))/y;
const NUMBER = /[+(]{0,2}\d[\d \t().\-/]{3,28}\d/y;
const UNQUOTED = /[^\s,;&"'`<>(){}[\]|\\]{1,8192}/y;

/** Already taken out, or told to be somewhere else: `${VAR}`, `<password>`, `env:NAME`, `***`. */
const PLACEHOLDER =
  /^(?:\[redacted|\$|\{|<|%[A-Z_]{1,64}%|\*{3}|x{4,64}$|\.{3}|…|env:|file:|vault:|secretref:|process\.env|os\.environ|null$|none$|nil$|undefined$|true$|false$|unset$|n\/a$)/i;

/** What stands after such a name without being its value: types, and words of sentences. */
const WORDS = new Set(
  'string str text number int integer bool boolean any unknown object array bytes buffer secret password token varchar char required optional missing invalid expired incorrect wrong rejected denied failed refused revoked valid ok not must should cannot can may will is are was were the a an and or for to of in on at by with from see here that this it its you your we our if when then must empty blank changed reset updated rotated disabled enabled yes no on off default hidden await new return const let var function'.split(
    ' ',
  ),
);

export function findNamedValues(text: string, found: Found): void {
  lookForNames(text, found);
  // Not to be held on to.
  seenLine = NO_LINE;
}

function lookForNames(text: string, found: Found): void {
  HINT.lastIndex = 0;
  let done = 0;
  for (let hint = HINT.exec(text); hint !== null; hint = HINT.exec(text)) {
    const start = nameStart(text, Math.max(done, runStart(NAME, text, hint.index, MAX_NAME_CHARS)), done);
    const end = runEnd(NAME, text, hint.index + hint[0].length);
    done = end;
    HINT.lastIndex = end;
    // What was taken out before is no name.
    if (end - start > 2 * MAX_NAME_CHARS || text.startsWith('[redacted:', start - 10)) continue;
    const kind = nameKind(text.slice(start, end));
    if (kind === undefined) continue;
    const value = valueOf({ text, kind, start, end });
    if (value === undefined) continue;
    found(ruleOf(kind), value.start, value.end);
    HINT.lastIndex = value.end;
    done = value.end;
  }
}

const WORD_BEFORE =
  /(?:api|access|secret|private|client|signing|encryption|auth|account|license|subscription|recovery|seed|session|card|social security|phone|mobile)[ \t]$/i;
const MAX_WORD_BEFORE_CHARS = 16;

/** "API key", "Access token": names that people write in two words. */
function nameStart(text: string, start: number, least: number): number {
  if (text[start - 1] !== ' ') return start;
  const before = WORD_BEFORE.exec(text.slice(Math.max(least, start - MAX_WORD_BEFORE_CHARS), start));
  return before === null ? start : start - before[0].length;
}

const ruleOf = (kind: NameKind): string =>
  kind === 'phone' || kind === 'ssn' || kind === 'card' ? kind : kind === 'header' ? 'header' : 'named';

type Named = { readonly text: string; readonly kind: NameKind; readonly start: number; readonly end: number };
type Value = { readonly start: number; readonly end: number };

function valueOf(named: Named): Value | undefined {
  const { text, kind, start, end } = named;
  const joined = after(JOIN, text, end);
  if (joined !== undefined) {
    if (kind === 'header') return headerValue(text, joined);
    return joinedValue(named, joined, text.slice(end, joined));
  }
  if (text[start - 1] === '<' || text[start - 1] === ':') {
    const inside = after(XML_JOIN, text, end);
    if (inside !== undefined) return bare(named, inside, /[^<]{1,8192}(?=<)/y, true);
  }
  if (text.startsWith('--', start) || text.startsWith('--', start - 2)) {
    const flag = after(FLAG_JOIN, text, end);
    if (flag !== undefined) return bare(named, flag, /[^\s"']{1,8192}/y, true);
  }
  if (kind !== 'secret') return undefined;
  // `.netrc`
  const netrc = /\blogin\s{1,8}\S{1,100}\s{1,8}$/.test(text.slice(Math.max(0, start - 130), start));
  const beside = netrc ? after(FLAG_JOIN, text, end) : undefined;
  return beside === undefined ? toldValue(text, end) : bare(named, beside, /[^\s"'`\\]{1,8192}/y, true);
}

function after(pattern: RegExp, text: string, from: number): number | undefined {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

/** The value after `name:` or `name=`; how it is joined tells settings from source code and prose. */
function joinedValue(named: Named, from: number, join: string): Value | undefined {
  const { text } = named;
  const open = after(QUOTE, text, from);
  if (open !== undefined) return quotedValue(named, text.slice(from, open), open);
  const block = after(BLOCK, text, from);
  if (block !== undefined) return bare(named, block, /[^\r\n"\\]{1,8192}/y, true);
  // What tests print: `PASS: name`.
  if (/^pass$/i.test(text.slice(named.start, named.end)) && join.includes(':')) return undefined;
  // `KEY=value`, as files of variables and URLs have it; in code there are spaces, or it goes on with a call.
  const tight = /^[=%]/.test(join) && join.trimEnd() === join;
  const pattern = ['phone', 'ssn', 'card'].includes(named.kind) ? NUMBER : UNQUOTED;
  return bare(named, from, pattern, tight || (join.includes(':') && endsLine(text, named.start, from)));
}

function quotedValue(named: Named, quote: string, from: number): Value | undefined {
  const { text, kind } = named;
  const end = endOfQuoted(text, quote, from);
  const value = text.slice(from, end);
  return accepts(kind, value, true) ? { start: from, end } : undefined;
}

function endOfQuoted(text: string, quote: string, from: number): number {
  const limit = Math.min(text.length, from + MAX_VALUE_CHARS);
  let end = text.indexOf(quote, from);
  // An escaped one does not end the value, however deep the quotes are escaped themselves.
  while (end > from && text[end - 1] === '\\' && end < limit) end = text.indexOf(quote, end + 1);
  return end === -1 || end > limit ? endOfLine(text, from) : end;
}

/** A header that stands in a quoted line ends with the quotes; values of parameters have their own. */
function endOfHeader(text: string, from: number): number {
  const line = text.slice(from, endOfLine(text, from));
  const end = /(?<!=)(?:\\[nr"]|["'`])(?![^\s"'`]{1,200}["'`],)/.exec(line);
  return end === null ? from + line.length : from + end.index;
}

/** `sure`: also a word of letters alone is a value. */
function bare({ text, kind, end: nameEnd }: Named, from: number, pattern: RegExp, sure: boolean): Value | undefined {
  const end = after(pattern, text, from);
  if (end === undefined) return undefined;
  let last = end;
  while (last > from && /[.!?:\s]/.test(text[last - 1] ?? '')) last--;
  const value = text.slice(from, last);
  // A call, an index, a member: source code says where the value comes from, and not what it is.
  if (
    text[end] === '(' ||
    text[end] === '[' ||
    /^(?:self|this|args|config|options|process|os|env|request|req|ctx)\./.test(value)
  )
    return undefined;
  if (/^[A-Za-z_][A-Za-z_.]*$/.test(value) && (!sure || isReference(value))) return undefined;
  return last > from && nameEnd <= from && accepts(kind, value, sure) ? { start: from, end: last } : undefined;
}

/** `password=password`, `token=user.token`: a name again. */
const isReference = (value: string): boolean => {
  const kind = nameKind(value);
  return kind === 'secret' || kind === 'header';
};

function accepts(kind: NameKind, value: string, sure: boolean): boolean {
  if (!/[\p{L}\p{N}]/u.test(value) || PLACEHOLDER.test(value)) return false;
  const digits = value.replace(/\D/g, '').length;
  switch (kind) {
    case 'secret':
      return (
        !WORDS.has(value.toLowerCase()) && !/^-?\d{1,5}(?:\.\d{1,6})?$/.test(value) && (sure || /[\d\W_]/.test(value))
      );
    case 'digits':
      return /^\d{3,10}$/.test(value);
    case 'weak':
      return looksRandom(value);
    case 'phone':
      return digits >= 7 && digits <= 15 && /^[+\d\s().\-/x]+$/.test(value);
    case 'ssn':
      return digits === 9 && /^[\d\s-]+$/.test(value);
    case 'card':
      return digits >= 12 && digits <= 19 && /^[\d\s-]+$/.test(value);
    case 'header':
      return false;
  }
}

const KNOWN_SCHEME =
  /^(?:basic|bearer|digest|token|apikey|api-key|key|negotiate|ntlm|dpop|hawk|oauth|gnap|aws4-hmac-sha256|scram-[a-z0-9-]{1,20}|mutual|signature|sso-key|splunk|discogs)\b/i;

/** The rest of the line, as far as its quotes: a scheme and its credentials, or cookies. */
function headerValue(text: string, from: number): Value | undefined {
  const open = after(QUOTE, text, from);
  const start = open ?? from;
  const end = open === undefined ? endOfHeader(text, from) : endOfQuoted(text, text.slice(from, open), open);
  const value = text.slice(start, end).trimEnd();
  if (value === '' || PLACEHOLDER.test(value)) return undefined;
  const word = /\s/.test(value) ? '' : value;
  const isOne = KNOWN_SCHEME.test(value)
    ? /\s\S/.test(value) || /\d/.test(value)
    : value.includes('=') || (word.length >= 6 && /[\d\W_]/.test(word));
  return isOne ? { start, end: start + value.length } : undefined;
}

/** The name begins its line and the value ends it: a setting in YAML or on a form. */
function endsLine(text: string, named: number, from: number): boolean {
  const before = text.slice(Math.max(0, named - 40), named);
  if (!/(?:^|[\n\r"'`]|\\n)[\s>*-]{0,24}(?:export |set |my |your |the )?["']?[\w .-]{0,16}$/i.test(before))
    return false;
  const line = text.slice(from, endOfLine(text, from)).replace(/(?:\\[nr]|["'`]).*$/, '');
  return !/\s/.test(line.trim()) && !/[,;({]$/.test(line.trim());
}

/** Many names in one long line ask for the same end: looking for it each time would be quadratic. */
const NO_LINE = { text: '', from: 0, end: 0 };
let seenLine = NO_LINE;

function endOfLine(text: string, from: number): number {
  if (seenLine.text !== text || from < seenLine.from || from > seenLine.end) {
    const newline = text.indexOf('\n', from);
    seenLine = { text, from, end: newline === -1 ? text.length : newline };
  }
  const { end } = seenLine;
  return Math.min(end > from && text[end - 1] === '\r' ? end - 1 : end, from + MAX_VALUE_CHARS);
}

const TOLD_CHARS = 120;
const TOLD_WORDS = 5;
/** What stands between is an id of something else. */
const OTHER_ID =
  /^(?:commit|sha|sha1|sha256|md5|hash|digest|id|ids|uuid|version|checksum|file|path|branch|tag|revision|build|request|trace|span|at)\b/i;

/** "the password is Tr0ub4dor&3", "your API key 9f8e…": in prose only what cannot be a word. */
function toldValue(text: string, from: number): Value | undefined {
  const line = text.slice(from, Math.min(endOfLine(text, from), from + TOLD_CHARS));
  // Whatever is found below has a digit: most sentences end here.
  if (!/\d/.test(line)) return undefined;
  const words = /[^\s"'`,;]{1,120}/g;
  let said = false;
  for (
    let count = 0, match = words.exec(line);
    match !== null && count < TOLD_WORDS;
    count++, match = words.exec(line)
  ) {
    const word = match[0].replace(/[.!?:)]{1,3}$/, '');
    if (OTHER_ID.test(word) || PLACEHOLDER.test(word)) return undefined;
    const drawn = looksRandom(word, 12) || isLongHex(word);
    if (drawn || (said && word.length >= 6 && /\d/.test(word) && /[A-Za-z]/.test(word))) {
      const start = from + match.index;
      return { start, end: start + word.length };
    }
    // The next sentence, or the next name, is about something else.
    if (/[.!?]$|.[:=]$/.test(match[0])) return undefined;
    said = /^(?:is|was|ist|=|:|->|es|est)$/i.test(word);
  }
  return undefined;
}
