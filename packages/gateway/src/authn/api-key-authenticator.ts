/** The half of the bearer authenticator that is about API keys: those of the configuration, and those of the store. */

import type { Principal } from '../model/principal.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createApiKeyVerifier, type ApiKeyRecord } from './api-key-verifier.ts';
import type { Attempts } from './attempts.ts';
import type { AuthenticationAttempt } from './authenticator.ts';
import { Refused } from './refused.ts';
import { createStoredApiKeys, type KeyLookup, type StoredApiKeysOptions } from './stored-api-keys.ts';

export type ApiKeyAuthenticatorOptions = {
  readonly apiKeys: readonly ApiKeyRecord[];
  /** Keys that are made while the gateway runs; those of `apiKeys` come first. */
  readonly storedKeys?: Pick<StoredApiKeysOptions, 'store' | 'noteUse'>;
  readonly now: () => number;
  readonly log: Logger;
};

/** @throws Refusal, or RangeError when it is made of keys that could not be trusted. */
export function createApiKeyAuthenticator(
  { apiKeys, storedKeys, now, log }: ApiKeyAuthenticatorOptions,
  attempts: Attempts,
): (text: string, attempt: AuthenticationAttempt) => Principal | Promise<Principal> {
  const stored = storedKeys === undefined ? undefined : createStoredApiKeys({ ...storedKeys, now, log });
  const verify = createApiKeyVerifier(apiKeys, stored);

  /** That the store is away is not the caller's failure. */
  const refuseKey = (attempt: AuthenticationAttempt, refusal: Refused): never =>
    refusal.code === 'identity-unavailable' ? attempts.fail(attempt, refusal) : attempts.failed(attempt, refusal);

  const lookUp = async ({ wasGood, ask }: KeyLookup, attempt: AuthenticationAttempt): Promise<Principal> => {
    // A key that let somebody in is no guess: its owner is not kept out by the guesses of others behind one address.
    if (wasGood) {
      const outcome = await ask();
      return outcome instanceof Refused ? refuseKey(attempt, outcome) : outcome;
    }
    attempts.take(attempt);
    const outcome = await ask();
    if (!(outcome instanceof Refused) || outcome.code === 'identity-unavailable') attempts.giveBack(attempt);
    return outcome instanceof Refused ? attempts.fail(attempt, outcome) : outcome;
  };

  return (text, attempt) => {
    const outcome = verify(text, now());
    if (outcome instanceof Refused) return refuseKey(attempt, outcome);
    return 'ask' in outcome ? lookUp(outcome, attempt) : outcome;
  };
}
