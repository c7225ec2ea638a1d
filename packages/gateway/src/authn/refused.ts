/** Why a credential was not accepted: a code that the caller learns, and the precise reason that only our log sees. */

import type { FailureCode } from '../model/failure.ts';
import type { Principal } from '../model/principal.ts';

export type RefusalCode = Extract<
  FailureCode,
  'unauthenticated' | 'invalid-credential' | 'expired-credential' | 'wrong-audience' | 'identity-unavailable'
>;

export class Refused {
  readonly code: RefusalCode;
  /** Never holds a credential. May quote, shortened, what an unverified token says of itself. */
  readonly reason: string;
  /** Whose it is, where that is proved: of a key that was revoked, or a token that is for another resource. */
  readonly whose: Principal | undefined;

  constructor(code: RefusalCode, reason: string, whose?: Principal) {
    this.code = code;
    this.reason = reason;
    this.whose = whose;
  }
}

export const refused = (code: RefusalCode, reason: string, whose?: Principal): Refused =>
  new Refused(code, reason, whose);

const MAX_QUOTED = 120;

/** What a stranger wrote, safe to log: short, on one line, in quotes. */
export function quoted(value: unknown): string {
  if (typeof value !== 'string') return typeof value;
  return JSON.stringify(value.length > MAX_QUOTED ? `${value.slice(0, MAX_QUOTED)}…` : value);
}
