/** The only maker of intents: proof that the record knows of a call before it is made. */

import type { Intent, Permit } from '../model/decision.ts';

/** What an intent is at run time. The private member keeps look-alikes from passing for one here, too. */
class RecordedIntent {
  readonly permit: Permit;
  readonly #sequence: number | undefined;

  constructor(permit: Permit, sequence: number | undefined) {
    this.permit = permit;
    this.#sequence = sequence;
  }

  static sequenceOf(candidate: object): number | undefined {
    return #sequence in candidate ? candidate.#sequence : undefined;
  }
}

/** Call it once the record's promise is kept: after the sync, or at once for what the operator marked read-only. */
export function makeIntent(permit: Permit, sequence?: number): Intent {
  // The one cast: `Intent` is declared, not defined, so that nothing outside this file can make one.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return new RecordedIntent(permit, sequence) as unknown as Intent;
}

/** The sequence number the intent was recorded under; undefined for read-only calls, whose outcome alone is recorded. */
export function intentSequence(intent: Intent): number | undefined {
  return RecordedIntent.sequenceOf(intent);
}
