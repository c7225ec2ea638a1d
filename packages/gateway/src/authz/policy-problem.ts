/** What is wrong with a policy, for the person who wrote it: where, what, and what was probably meant. */

import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';

export type PolicyProblem = {
  /** The file, or the server whose `allow` list it is. */
  readonly source: string;
  /** From 1. Absent when the place is not known. */
  readonly line?: number;
  readonly column?: number;
  /** The policy's id, where it got as far as having one. */
  readonly policy?: string;
  readonly message: string;
};

/** `policies/refunds.cedar:12:3: …` */
export function describeProblem({ source, line, column, policy, message }: PolicyProblem): string {
  const place = line === undefined ? source : `${source}:${line}${column === undefined ? '' : `:${column}`}`;
  return `${place}: ${policy === undefined ? '' : `policy ${JSON.stringify(policy)}: `}${message}`;
}

/** Cedar counts bytes of UTF-8; people count lines, and characters in them. */
export function lineAndColumn(text: string, byteOffset: number): { line: number; column: number } {
  const before = new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, byteOffset));
  const lines = before.split('\n');
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
}

/** Cedar's own errors, each with its place in `text`; related ones are told one by one, like the first. */
export function cedarProblems(source: string, text: string, errors: readonly DetailedError[]): PolicyProblem[] {
  return errors.flatMap((error) => [
    cedarProblem(source, text, error),
    ...cedarProblems(source, text, error.related ?? []),
  ]);
}

function cedarProblem(source: string, text: string, error: DetailedError): PolicyProblem {
  const label = error.sourceLocations?.[0];
  const hints = [label?.label, error.help].filter((hint) => typeof hint === 'string' && hint !== '');
  const message = [
    error.message.replace(/^failed to parse polic(y|ies)( with id `[^`]*`)? from string: /, ''),
    ...hints,
  ];
  return {
    source,
    ...(label === undefined ? {} : lineAndColumn(text, label.start)),
    message: `${message.join('; ')}.`,
  };
}
