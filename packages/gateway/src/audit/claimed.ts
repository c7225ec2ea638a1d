/**
 * What the client says of the work that a call belongs to: the agent's run and its purpose, from `params._meta`. Nobody
 * checked it, no decision reads it, and it travels on to the server as it came.
 */

import type { Json, JsonObject } from '../model/json.ts';

export const RUN_KEY = 'io.sallyport/run';
export const PURPOSE_KEY = 'io.sallyport/purpose';

export const MAX_RUN_CHARACTERS = 128;
export const MAX_PURPOSE_CHARACTERS = 500;

/** As it stands in a record. */
export const recordedRun = (run: string): string =>
  run.length <= MAX_RUN_CHARACTERS ? run : `${run.slice(0, MAX_RUN_CHARACTERS)}\u2026`;

/** W3C Baggage, 3.3: what is longer need not be propagated, so nobody relies on it. */
const MAX_BAGGAGE_CHARACTERS = 8192;
/** `sallyport.run=nightly-42`, `run.id=nightly-42`; properties after a `;` are no part of the value. */
const BAGGAGE_RUN = /(?:^|,)[ \t]*(?:sallyport\.run|run\.id)[ \t]*=[ \t]*([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+)/;

/** Undefined where it says nothing, or nothing that can be read. */
export function runOf(vendor: JsonObject): string | undefined {
  return textOf(vendor[RUN_KEY]) ?? runInBaggage(vendor.baggage);
}

export const purposeOf = (vendor: JsonObject): string | undefined => textOf(vendor[PURPOSE_KEY]);

const textOf = (value: Json | undefined): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

function runInBaggage(baggage: Json | undefined): string | undefined {
  if (typeof baggage !== 'string' || baggage.length > MAX_BAGGAGE_CHARACTERS) return undefined;
  const encoded = BAGGAGE_RUN.exec(baggage)?.[1];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
