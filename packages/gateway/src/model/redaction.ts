/**
 * What is taken out of texts and bodies before anything is written: secrets and personal data. The shapes; the code is in
 * `guard`, and is handed to whoever writes.
 */

import type { JsonObject } from './json.ts';

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
  /** Every string of a body, decoded, wherever it stands. Large bodies are looked at in a worker. */
  body(body: JsonObject, of: BodyOf): Promise<Redacted<JsonObject>>;
}
