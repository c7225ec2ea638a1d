/** Why a credential was not accepted: a code that the caller learns, and the precise reason that only our log sees. */

import type { FailureCode } from '../model/failure.ts';

export type RefusalCode = Extract<
  FailureCode,
  'unauthenticated' | 'invalid-credential' | 'expired-credential' | 'wrong-audience' | 'identity-unavailable'
>;

export class Refused {
  readonly code: RefusalCode;
  /** Never holds a credential. May quote, shortened, what an unverified token says of itself. */
  readonly reason: string;

  constructor(code: RefusalCode, reason: string) {
    this.code = code;
    this.reason = reason;
  }
}

export const refused = (code: RefusalCode, reason: string): Refused => new Refused(code, reason);

const MAX_QUOTED = 120;

/** What a stranger wrote, safe to log: short, on one line, in quotes. */
export function quoted(value: unknown): string {
  if (typeof value !== 'string') return typeof value;
  return JSON.stringify(value.length > MAX_QUOTED ? `${value.slice(0, MAX_QUOTED)}…` : value);
}
