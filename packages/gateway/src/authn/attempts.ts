/** How a credential is refused: limited per address before anything costly is done, and logged with the precise reason. */

import { refuse } from '../model/failure.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AuthenticationAttempt } from './authenticator.ts';
import type { Refused } from './refused.ts';

/** Limits failed attempts per address. What was taken is given back when the attempt did not fail. */
export interface FailedAttempts {
  allow(address: string): { readonly allowed: true } | { readonly allowed: false; readonly retryAfterMs: number };
  giveBack(address: string): void;
}

type Attempt = Pick<AuthenticationAttempt, 'requestId' | 'address'>;

export type Attempts = {
  /** @throws Refusal `quota-exceeded` when this address has no failed attempt left. */
  take(attempt: Attempt): void;
  giveBack(attempt: Attempt): void;
  /** The attempt was taken before. @throws Refusal */
  fail(attempt: Attempt, refusal: Refused): never;
  /** Takes an attempt, and fails. @throws Refusal */
  failed(attempt: Attempt, refusal: Refused): never;
};

export function createAttempts(failedAttempts: FailedAttempts, log: Logger): Attempts {
  const take = ({ requestId, address }: Attempt): void => {
    const verdict = failedAttempts.allow(address);
    if (verdict.allowed) return;
    log.info({ requestId, code: 'quota-exceeded', address }, 'too many failed attempts to authenticate');
    throw refuse('quota-exceeded', {
      retryAfterMs: verdict.retryAfterMs,
      message: 'Too many failed attempts to authenticate from this address. Wait and try again.',
    });
  };

  const fail = ({ requestId, address }: Attempt, { code, reason }: Refused): never => {
    log.info({ requestId, code, reason, address }, 'a credential was refused');
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
