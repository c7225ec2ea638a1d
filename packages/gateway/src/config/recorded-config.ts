/** What of the record is taken out, kept beside it and for how long, as the program sees it. */

import type { PersonalData } from '../model/redaction.ts';

/** What is taken out of everything that is written, beside secrets. */
export type RedactionConfig = {
  readonly personal: readonly PersonalData[];
  readonly patterns: readonly { readonly name: string; readonly regex: string }[];
  /** Of kept bodies: by patterns over `server/tool`. */
  readonly tools: readonly {
    readonly tool: string;
    readonly arguments: readonly string[];
    readonly result: readonly string[];
    readonly withheld: readonly ('arguments' | 'result')[];
  }[];
};

/** Of which tools redacted arguments and results are kept, how much and how long. */
export type BodiesConfig = {
  readonly tools: readonly string[];
  readonly arguments: boolean;
  readonly results: boolean;
  readonly maxBytes: number;
  readonly keepMs: number;
};

/** How long records of each class stay in the index, in milliseconds; Infinity for ever. */
export type KeepConfig = Readonly<
  Record<'calls' | 'reads' | 'authentication' | 'sessions' | 'refusals' | 'administration' | 'writer', number>
>;
