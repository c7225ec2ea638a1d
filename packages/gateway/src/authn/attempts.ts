/** How a credential is refused: limited per address before anything costly is done, and logged with the precise reason. */

import { refuse } from '../model/failure.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Refused } from './refused.ts';

/** Limits failed attempts per address. What was taken is given back when the attempt did not fail. */
export interface FailedAttempts {
  allow(address: string): { readonly allowed: true } | { readonly allowed: false; readonly retryAfterMs: number };
  giveBack(address: string): void;
}

export type Attempts = {
  /** @throws Refusal `quota-exceeded` when this address has no failed attempt left. */
  take(address: string): void;
  giveBack(address: string): void;
  /** The attempt was taken before. @throws Refusal */
  fail(address: string, refusal: Refused): never;
  /** Takes an attempt, and fails. @throws Refusal */
  failed(address: string, refusal: Refused): never;
};

export function createAttempts(failedAttempts: FailedAttempts, log: Logger): Attempts {
  const take = (address: string): void => {
    const verdict = failedAttempts.allow(address);
    if (verdict.allowed) return;
    log.info({ code: 'quota-exceeded', address }, 'too many failed attempts to authenticate');
    throw refuse('quota-exceeded', {
      retryAfterMs: verdict.retryAfterMs,
      message: 'Too many failed attempts to authenticate from this address. Wait and try again.',
    });
  };

  const fail = (address: string, { code, reason }: Refused): never => {
    log.info({ code, reason, address }, 'a credential was refused');
    throw refuse(code, code === 'identity-unavailable' ? { retryAfterMs: 1000 } : {});
  };

  return {
    take,
    giveBack: (address) => failedAttempts.giveBack(address),
    fail,
    failed(address, refusal) {
      take(address);
      return fail(address, refusal);
    },
  };
}
