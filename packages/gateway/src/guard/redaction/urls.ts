/** Credentials in URLs and connection strings: `scheme://user:password@host`. What else a URL carries, its names tell. */

import { isLongHex, looksRandom } from './randomness.ts';
import type { Found } from './rule.ts';

const FLAG =
  /(?<![\w-])(?:-u|--user|--proxy-user|-U|sshpass\s{1,4}-p)(?:[ =]{1,2}|(?=["']))["']?(?:[^\s:"'/]{1,64}:)?([^\s"']{1,128})/g;

/** `curl -u user:password`, `sshpass -p password`. Two numbers are a user's and a group's ids. */
export function findFlagPasswords(text: string, found: Found): void {
  if (!text.includes('-u') && !text.includes('-U') && !text.includes('sshpass')) return;
  FLAG.lastIndex = 0;
  for (let match = FLAG.exec(text); match !== null; match = FLAG.exec(text)) {
    const password = match[1] ?? '';
    const hasUser = match[0].at(-password.length - 1) === ':';
    if (!hasUser && !match[0].includes('sshpass')) continue;
    if (/^\d+$/.test(password) || /^[[$<{]/.test(password)) continue;
    found('user-password', FLAG.lastIndex - password.length, FLAG.lastIndex);
  }
}

const MAX_AUTHORITY_CHARS = 1024;
const ENDS_URL = /[\s"'`<>\\]/;

export function findUrlPasswords(text: string, found: Found): void {
  for (let at = text.indexOf('://'); at !== -1;) {
    const from = at + 3;
    const end = urlEnd(text, from);
    const password = passwordIn(text.slice(from, end));
    if (password !== undefined) found('url-password', from + password.start, from + password.end);
    at = text.indexOf('://', Math.max(end, from));
  }
}

function urlEnd(text: string, from: number): number {
  const limit = Math.min(text.length, from + MAX_AUTHORITY_CHARS);
  let at = from;
  while (at < limit && !ENDS_URL.test(text[at] ?? '')) at++;
  return at;
}

/** People forget to escape: a password may hold `@`, `/`, `?` and `#`, so the last `@` before the host counts. */
function passwordIn(rest: string): { readonly start: number; readonly end: number } | undefined {
  const slash = rest.search(/[/?#]/);
  const authority = slash === -1 ? rest : rest.slice(0, slash);
  let at = authority.lastIndexOf('@');
  const colon = rest.indexOf(':');
  if (at === -1) {
    // `user:pa/ss@host`, and not `host:8080/path@2x`.
    if (colon === -1 || slash === -1 || colon > slash || /^\d{0,5}$/.test(rest.slice(colon + 1, slash)))
      return undefined;
    at = rest.indexOf('@', slash);
    if (at === -1) return undefined;
  }
  if (colon === -1 || colon > at) {
    const user = rest.slice(0, at);
    return looksRandom(user) || isLongHex(user) ? { start: 0, end: at } : undefined;
  }
  const password = rest.slice(colon + 1, at);
  if (password === '' || /^(?:\[redacted|\$|\{|<|\*{3})/.test(password)) return undefined;
  return { start: colon + 1, end: at };
}
