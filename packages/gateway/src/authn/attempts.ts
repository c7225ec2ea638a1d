/**
 * How a credential is refused: limited per address before anything costly is done, logged with the precise reason, and told to
 * the record.
 */

import type { NoteEvent } from '../model/event.ts';
import { refuse, type FailureCode } from '../model/failure.ts';
import type { Principal } from '../model/principal.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AuthenticationAttempt } from './authenticator.ts';
import { claimedBy, presentedKind } from './claimed.ts';
import type { Refused } from './refused.ts';

/** Limits failed attempts per address. What was taken is given back when the attempt did not fail. */
export interface FailedAttempts {
  allow(address: string): { readonly allowed: true } | { readonly allowed: false; readonly retryAfterMs: number };
  giveBack(address: string): void;
}

export type Attempts = {
  /** @throws Refusal `quota-exceeded` when this address has no failed attempt left. */
  take(attempt: AuthenticationAttempt): void;
  giveBack(attempt: AuthenticationAttempt): void;
  /** The attempt was taken before. @throws Refusal */
  fail(attempt: AuthenticationAttempt, refusal: Refused): never;
  /** Takes an attempt, and fails. @throws Refusal */
  failed(attempt: AuthenticationAttempt, refusal: Refused): never;
};

export function createAttempts(failedAttempts: FailedAttempts, log: Logger, note: NoteEvent): Attempts {
  const tell = (
    attempt: AuthenticationAttempt,
    refusal: { readonly reason: string; readonly whose?: Principal | undefined },
    code: FailureCode,
  ): void => {
    const { requestId, address, endpoint, presented } = attempt;
    const { reason, whose } = refusal;
    note({
      kind: 'authentication',
      activity: 'verify',
      credential: presentedKind(presented) ?? 'bearer',
      requestId,
      address,
      endpoint,
      // Whoever has no attempt left is not worth reading a token for.
      ...(code === 'quota-exceeded' ? {} : { claimed: claimedBy(presented) }),
      ...(whose === undefined ? {} : { principal: whose }),
      failure: { code, reason: withoutQuotes(reason) },
    });
  };

  const take = (attempt: AuthenticationAttempt): void => {
    const { requestId, address } = attempt;
    const verdict = failedAttempts.allow(address);
    if (verdict.allowed) return;
    log.info({ requestId, code: 'quota-exceeded', address }, 'too many failed attempts to authenticate');
    tell(attempt, { reason: 'too many failed attempts from this address' }, 'quota-exceeded');
    throw refuse('quota-exceeded', {
      retryAfterMs: verdict.retryAfterMs,
      message: 'Too many failed attempts to authenticate from this address. Wait and try again.',
    });
  };

  const fail = (attempt: AuthenticationAttempt, refusal: Refused): never => {
    const { code, reason } = refusal;
    const { requestId, address } = attempt;
    log.info({ requestId, code, reason, address }, 'a credential was refused');
    tell(attempt, refusal, code);
    throw refuse(code, code === 'identity-unavailable' ? { retryAfterMs: 1000 } : {});
  };

  return {
    take,
    giveBack: ({ address }) => failedAttempts.giveBack(address),
    fail,
    failed(attempt, refusal) {
      take(attempt);
      return fail(attempt, refusal);
    },
  };
}

const CLAIM_NAMES: ReadonlySet<string> = new Set(['iss', 'aud', 'exp', 'nbf', 'iat', 'sub']);

/** Our log may quote what an unverified token says; the record is kept for years, and anything could stand there. */
const withoutQuotes = (reason: string): string =>
  reason.replaceAll(/"((?:[^"\\]|\\.)*)"/gu, (quote, text: string) => (CLAIM_NAMES.has(text) ? quote : '"…"'));
