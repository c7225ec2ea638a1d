/** Personal data by its shape. Where a shape has a check (Luhn, mod 97), it is made: most long numbers are nobody's. */

import { isIP } from 'node:net';

import { ALNUM, isIn, type Found } from './rule.ts';

const FILE_ENDINGS =
  /\.(?:png|jpe?g|gif|svg|webp|ico|css|m?[jt]sx?|json|html?|map|woff2?|ttf|md|txt|ya?ml|lock|tgz|zip)$/i;
const LOCAL = /[\p{L}\p{N}._+'~!#$&*=?^{|}-]{1,64}$/u;
const DOMAIN = /^(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}(?:\p{L}{2,24}|xn--[a-z0-9-]{2,59})/u;
const MAX_LOCAL_CHARS = 64;
const MAX_DOMAIN_CHARS = 255;
/** Accounts of programs, not people. */
const NO_PERSON = /^(?:git|hg|svn|ssh|root)$/i;

/** RFC 5321 in its everyday form, also with the `@` of a URL (`%40`). Not `pkg@1.2.3`, not `icon@2x.png`, not `git@host:path`. */
export function findEmails(text: string, found: Found): void {
  for (const sign of ['@', '%40']) {
    for (let at = text.indexOf(sign); at !== -1; at = text.indexOf(sign, at + sign.length)) {
      const local = LOCAL.exec(text.slice(Math.max(0, at - MAX_LOCAL_CHARS), at))?.[0].replace(/^['.=?&#]+/, '');
      if (local === undefined || local === '' || NO_PERSON.test(local)) continue;
      const from = at + sign.length;
      const domain = DOMAIN.exec(text.slice(from, from + MAX_DOMAIN_CHARS))?.[0];
      if (domain === undefined || FILE_ENDINGS.test(domain)) continue;
      const start = at - (local.split(/[=?&]/).at(-1) ?? local).length;
      if (start < at) found('email', start, from + domain.length);
    }
  }
}

/** A number and how it is grouped, from a digit to a digit: at most 19 digits and as many signs between. */
const NUMBER = /(?<![\p{L}\p{N}_.,-]|\d[/:])\d(?:[ -]?\d){11,18}(?![\p{L}\p{N}_]|[.,-]\d)/gu;

const NETWORKS: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^5[1-5]/, [16]],
  [/^2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)/, [16]],
  [/^3[47]/, [15]],
  [/^6(?:011|5|4[4-9])/, [16, 19]],
  [/^3(?:0[0-5]|[689])/, [14, 16]],
  [/^35(?:2[89]|[3-8])/, [16]],
  [/^62/, [16, 17, 18, 19]],
  [/^(?:50|5[6-8]|63|67)/, [16, 18, 19]],
];

/** ISO/IEC 7812: a known network, its length, and Luhn's check digit. */
export function isCard(digits: string): boolean {
  const known = NETWORKS.some(([prefix, lengths]) => prefix.test(digits) && lengths.includes(digits.length));
  return known && passesLuhn(digits);
}

export function findCards(text: string, found: Found): void {
  NUMBER.lastIndex = 0;
  for (let match = NUMBER.exec(text); match !== null; match = NUMBER.exec(text)) {
    if (!isCard(match[0].replace(/[ -]/g, ''))) continue;
    found('card', match.index, match.index + match[0].length);
  }
}

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 0x30;
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** ISO 13616's registry: country and length. */
const IBAN_LENGTHS: ReadonlyMap<string, number> = new Map(
  'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
    .split(' ')
    .map((row) => [row.slice(0, 2), Number(row.slice(2))]),
);
const IBAN = /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?=[ -]?[A-Z0-9]{2})|(?<![A-Za-z0-9])[a-z]{2}\d{2}(?=[a-z0-9]{11})/g;

export function findIbans(text: string, found: Found): void {
  IBAN.lastIndex = 0;
  for (let match = IBAN.exec(text); match !== null; match = IBAN.exec(text)) {
    const length = IBAN_LENGTHS.get(match[0].slice(0, 2).toUpperCase());
    const end = length === undefined ? undefined : endOfCharacters(text, match.index, length);
    if (end === undefined || isIn(ALNUM, text, end)) continue;
    if (!isIban(text.slice(match.index, end).replace(/[ -]/g, '').toUpperCase())) continue;
    found('iban', match.index, end);
    IBAN.lastIndex = end;
  }
}

/** Where `count` letters and digits from `start` on end, single spaces and hyphens between them not counted. */
function endOfCharacters(text: string, start: number, count: number): number | undefined {
  let seen = 0;
  for (let at = start; at < text.length; at++) {
    if (isIn(ALNUM, text, at)) {
      if (++seen === count) return at + 1;
    } else if ((text[at] !== ' ' && text[at] !== '-') || !isIn(ALNUM, text, at - 1)) return undefined;
  }
  return undefined;
}

/** ISO 7064, mod 97-10: nine digits at a time. */
function isIban(compact: string): boolean {
  const digits = (compact.slice(4) + compact.slice(0, 4)).replace(/[A-Z]/g, (letter) => String(parseInt(letter, 36)));
  let rest = '';
  for (let at = 0; at < digits.length; at += 7) rest = String(Number(rest + digits.slice(at, at + 7)) % 97);
  return rest === '1';
}

const SSN = /(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g;

/** United States Social Security numbers, in the one way of writing that is theirs alone. */
export function findSocialSecurityNumbers(text: string, found: Found): void {
  SSN.lastIndex = 0;
  for (let match = SSN.exec(text); match !== null; match = SSN.exec(text)) {
    found('ssn', match.index, match.index + match[0].length);
  }
}

/** E.164 in any grouping; then an area in brackets, the American ways, a trunk zero, and pairs as in France. */
const PHONES: readonly RegExp[] = [
  /(?<![\w+.])(?:\+|00(?=[1-9]\d{0,2}[ /(-]))[1-9](?:[ ().\-/]{0,2}\d){6,14}(?!\w|[.,]\d)/g,
  /(?<![\w+.:/-])\((?:0\d{1,5}|[2-9]\d{2})\)[ -]?\d{3,4}(?:[ -]?\d{2,5}){0,3}(?![\w-])/g,
  /(?<![\w+.:/-])(?:1[-. ])?[2-9]\d{2}([-.])\d{3}\1\d{4}(?![\w-]|\.\d)/g,
  /(?<![\w+.:/-])0[1-9]\d{1,3}(?: ?\/ ?|[ -])\d{3,8}(?:[ -]\d{2,5}){0,2}(?![\w:-]|\.\d)/g,
  /(?<![\w+.:/-])0[1-9](?:([ .-])\d{2})(?:\1\d{2}){3}(?![\w-]|\.\d)/g,
];

/** A number with decimals, the time from one to the other, an American postal code. */
const NO_PHONE = /^(?:\+\d{1,3}\.\d{4,8}|\d{4}[ -]\d{4}|\d{5}-\d{4})$/;

export function findPhones(text: string, found: Found): void {
  for (const pattern of PHONES) {
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const digits = match[0].replace(/\D/g, '').length;
      if (digits < 8 || digits > 15 || NO_PHONE.test(match[0])) continue;
      found('phone', match.index, match.index + match[0].length);
    }
  }
}

const ADDRESS =
  /(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(?::{1,2}[0-9a-fA-F]{1,4}){2,7}(?:::)?)(?![\w:]|\.\d)/g;

export function findAddresses(text: string, found: Found): void {
  ADDRESS.lastIndex = 0;
  for (let match = ADDRESS.exec(text); match !== null; match = ADDRESS.exec(text)) {
    if (isIP(match[0]) !== 0) found('ip', match.index, match.index + match[0].length);
  }
}
