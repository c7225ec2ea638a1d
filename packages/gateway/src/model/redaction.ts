/**
 * What is taken out of texts and bodies before anything is written: secrets and personal data. The shapes; the code is in
 * `guard`, and is handed to whoever writes.
 */

import type { JsonObject } from './json.ts';

/** What can be taken out beside secrets, which always are. */
export const PERSONAL_DATA = ['email', 'phone', 'card', 'iban', 'ssn', 'ip'] as const;

export type PersonalData = (typeof PERSONAL_DATA)[number];

export type Redacted<T> = {
  readonly value: T;
  /** Which rules found something, each once; never what they found. */
  readonly rules: readonly string[];
};

/** Whose body it is: rules can be about one tool. */
export type BodyOf = { readonly server: string; readonly name: string; readonly part: 'arguments' | 'result' };

export interface Redactor {
  /** One piece of text: an error, a line of stderr. Cheap; what is longer than its bound is cut first. */
  text(text: string): Redacted<string>;
  /**
   * Every string of a body, decoded, wherever it stands. Always in a thread of its own.
   *
   * @throws when it could not be looked at: then it must not be written.
   */
  body(body: JsonObject, of: BodyOf): Promise<Redacted<JsonObject>>;
}

/** A body as it is at hand: parsed, or as bytes that may have been cut. */
export type RawBody = { readonly value: JsonObject } | { readonly bytes: Uint8Array; readonly whole: boolean };

export type EncodedBody =
  | { readonly kind: 'redacted'; readonly text: string; readonly rules: readonly string[]; readonly cut: boolean }
  /** Nothing of it may be kept. */
  | { readonly kind: 'withheld'; readonly because: WithheldReason };

/** `rule`: the operator wants none of it; `unreadable`: it is no JSON object. */
export type WithheldReason = 'overloaded' | 'overrun' | 'rule' | 'unreadable';

export interface BodyRedactor {
  /** The JSON text of at most `maxBytes` that may be kept. Never rejects, and looks at nothing on the caller's thread. */
  encoded(body: RawBody, of: BodyOf, maxBytes: number): Promise<EncodedBody>;
}
