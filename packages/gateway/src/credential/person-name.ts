/** A person's name as part of the place of a secret: no name leads anywhere but to its own place, in whatever store. */

import type { Principal } from '../model/principal.ts';
import { UnresolvedReferenceError } from './secret-store.ts';

/** File systems end at 255 bytes; more may stand around a name. */
const MAX_CHARACTERS = 200;

/** What the keys of a Kubernetes secret may have, which is the least of all stores; `_` begins what is written in another way. */
const KEPT = /^[A-Za-z0-9.-]$/;

/** A leading dot or hyphen would be a hidden file, the folder above, or an option of a command. */
const KEPT_IN_FRONT = /^[A-Za-z0-9]$/;

/**
 * Letters, digits, `.` and `-` stand for themselves, all else is `_` and two hexadecimal digits for each byte of UTF-8. Two names
 * are never written alike, and `__` occurs in none.
 *
 * @throws UnresolvedReferenceError
 */
export function nameAsPlace(name: string): string {
  if (name === '') throw new UnresolvedReferenceError('A person without a name has no secret of their own.');
  // A lone surrogate has no bytes of its own: it would look like any other.
  if (!name.isWellFormed()) throw new UnresolvedReferenceError('This name is no valid text, so it has no place.');
  const written = Array.from(name, (character, index) =>
    (index === 0 ? KEPT_IN_FRONT : KEPT).test(character) ? character : escaped(character),
  ).join('');
  if (written.length <= MAX_CHARACTERS) return written;
  throw new UnresolvedReferenceError(
    `This name has ${written.length} characters as part of a place, and at most ${MAX_CHARACTERS} are allowed.`,
  );
}

const escaped = (character: string): string =>
  Array.from(Buffer.from(character, 'utf8'), (byte) => `_${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');

/** Nobody else's within the tenant: a subject is one person's at one issuer only. */
export function userAsPlace({ issuer, subject }: Pick<Principal, 'issuer' | 'subject'>): string {
  return issuer === API_KEYS ? nameAsPlace(subject) : `${nameAsPlace(issuer)}__${nameAsPlace(subject)}`;
}

/** What stands for the issuer of an API key (`authn`). */
export const API_KEYS = 'api-key';
