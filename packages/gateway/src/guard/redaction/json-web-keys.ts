/** Private JSON Web Keys (RFC 7517, 7518 section 6): the members that make a key private, in texts that hold one. */

import type { Found } from './rule.ts';

const PRIVATE_MEMBER = /\\{0,8}"(?:d|p|q|dp|dq|qi|k)\\{0,8}"\s{0,4}:\s{0,4}\\{0,8}"([A-Za-z0-9_-]{16,2048})/g;

export const PRIVATE_MEMBERS: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']);

export function findKeysOfJwks(text: string, found: Found): void {
  if (!text.includes('"kty') && !text.includes('\\"kty')) return;
  PRIVATE_MEMBER.lastIndex = 0;
  for (let match = PRIVATE_MEMBER.exec(text); match !== null; match = PRIVATE_MEMBER.exec(text)) {
    const end = match.index + match[0].length;
    found('jwk', end - (match[1]?.length ?? 0), end);
  }
}
