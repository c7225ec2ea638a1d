/** Keys and tokens that are recognised by their encoding: PEM, whole or in base64, JSON Web Tokens, HTTP credentials. */

import { BASE64, BASE64URL, BEARER, isIn, runEnd, type Found } from './rule.ts';

/** Also as it stands in URLs and forms, and in SSH's (`OPENSSH`) and PGP's (`BLOCK`) names for it. */
const PEM_BEGIN = /-{2,5}(?: |\+|%20)?BEGIN(?:[ +]|%20)[A-Z0-9 +%]{0,40}PRIVATE(?:[ +]|%20)KEY/g;
const PEM_END =
  /-{2,5}(?: |\+|%20)?END(?:[ +]|%20)[A-Z0-9 +%]{0,40}PRIVATE(?:[ +]|%20)KEY(?:(?:[ +]|%20)BLOCK)?-{0,5}/g;

/** Whatever the newlines in between have become: real ones, `\n`, `\\n`, spaces, nothing. Without an end, what could be key. */
export function findPrivateKeys(text: string, found: Found): void {
  if (!text.includes('PRIVATE')) return;
  // Once there is none any more, it is not looked for again.
  let ends = true;
  PEM_BEGIN.lastIndex = 0;
  for (let begin = PEM_BEGIN.exec(text); begin !== null; begin = PEM_BEGIN.exec(text)) {
    PEM_END.lastIndex = PEM_BEGIN.lastIndex;
    ends &&= PEM_END.test(text);
    const end = ends ? PEM_END.lastIndex : keyBodyEnd(text, PEM_BEGIN.lastIndex);
    found('private-key', begin.index, end);
    PEM_BEGIN.lastIndex = end;
  }
}

const PEM_BODY = /^[A-Za-z0-9+/=\s\\%:,.()-]*/;

/** A key that was cut off: its armour, headers and base64 up to the first character that neither has. */
function keyBodyEnd(text: string, from: number): number {
  return from + (PEM_BODY.exec(text.slice(from))?.[0].length ?? 0);
}

/** `-----BEGIN` in base64. */
const ENCODED_BEGIN = 'LS0tLS1CRUdJTi';
const ENCODED_HEAD_CHARS = 88;

/** A PEM file in base64, as Kubernetes' secrets and many variables have it. Certificates and public keys stay. */
export function findEncodedPrivateKeys(text: string, found: Found): void {
  for (let at = text.indexOf(ENCODED_BEGIN); at !== -1;) {
    const end = runEnd(BASE64, text, at);
    const head = Buffer.from(text.slice(at, Math.min(end, at + ENCODED_HEAD_CHARS)), 'base64').toString('latin1');
    if (head.includes('PRIVATE KEY')) found('private-key', at, end);
    at = text.indexOf(ENCODED_BEGIN, end);
  }
}

/** `{"` in base64url: every JOSE header begins so. */
const JOSE_BEGIN = 'eyJ';
const LEAST_PART_CHARS = 8;

/** RFC 7519, and JWE's five parts. A part that is empty is a detached payload or an unsecured token. */
export function findJsonWebTokens(text: string, found: Found): void {
  for (let at = text.indexOf(JOSE_BEGIN); at !== -1;) {
    let end = runEnd(BASE64URL, text, at);
    const begin = at;
    let parts = 1;
    while (end - begin >= LEAST_PART_CHARS && parts < 5 && text[end] === '.') {
      const next = runEnd(BASE64URL, text, end + 1);
      if (next === end + 1 && text[next] !== '.') break;
      parts += 1;
      end = next;
    }
    if (parts >= 2) found('jwt', begin, end);
    at = text.indexOf(JOSE_BEGIN, end);
  }
}

const SCHEME = /\b(bearer|basic|dpop|token|apikey|negotiate|bot)(?: {1,4}|%20|\+)/gi;

/** `Bearer …` and `Basic …` (RFC 9110 section 11.4) wherever they stand, told from prose by what follows. */
export function findHttpCredentials(text: string, found: Found): void {
  SCHEME.lastIndex = 0;
  for (let match = SCHEME.exec(text); match !== null; match = SCHEME.exec(text)) {
    const from = SCHEME.lastIndex;
    const end = withoutStop(text, from, runEnd(BEARER, text, from));
    const value = text.slice(from, Math.min(end, from + 4096));
    const scheme = match[1]?.toLowerCase();
    if (scheme === 'basic' ? isUserAndPassword(value) : isToken(value, scheme ?? '')) {
      found(scheme === 'basic' ? 'basic' : 'bearer', from, end);
      SCHEME.lastIndex = end;
    }
  }
}

const withoutStop = (text: string, from: number, end: number): number => {
  let last = end;
  while (last > from && text[last - 1] === '.') last--;
  return last;
};

/** RFC 7617: what it encodes has a colon, and is text. */
function isUserAndPassword(value: string): boolean {
  if (value.length < 4) return false;
  for (let at = 0; at < value.length; at++) if (!isIn(BASE64, value, at)) return false;
  const decoded = Buffer.from(value, 'base64');
  // oxlint-disable-next-line no-control-regex -- what no user name has
  return decoded.includes(0x3a) && !/[\u0000-\u0008\u000e-\u001f]/.test(decoded.toString('latin1'));
}

/** `Bearer token` and `bearer authentication` are prose; a word of eight letters and digits is not. */
function isToken(value: string, scheme: string): boolean {
  const sure = scheme === 'bearer' || scheme === 'dpop';
  if (value.length < (sure ? 8 : 16)) return false;
  const digit = /\d/.test(value);
  const mixed = /[a-z]/.test(value) && /[A-Z]/.test(value.slice(1));
  if (!sure)
    return (
      digit && /[A-Za-z]/.test(value) && !/^[0-9-]/.test(value) && !value.includes('=') && (mixed || value.length >= 24)
    );
  return (digit && /[A-Za-z]/.test(value)) || (mixed && value.length >= 16) || value.length >= 32;
}
