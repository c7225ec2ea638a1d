/**
 * References with a person's name in them (`file:/secrets/{user}/token`), as an operator writes them. What is refused here would
 * let a name choose more than its own place: a store, a command, a header's scheme, or the place of somebody else.
 */

import { parseValue, wantedReference } from './references.ts';

export const PERSON_WORDS = ['tenant', 'subject', 'user'] as const;
export type PersonWord = (typeof PERSON_WORDS)[number];

const PLACEHOLDER = /\{(?<word>tenant|subject|user)\}/g;

/** Scheme, store and colon, with something that no name chooses behind them; of a command its own name and the slash. */
const HEAD = /^(?:[A-Za-z][A-Za-z0-9-]* )?(?:exec:[a-z][a-z0-9-]*\/|(?!exec:)[a-z][a-z-]*:[^{}])/;

/** Names never hold these, so that what stands on either side of one is told apart. */
const TOLD_APART = /\}[^/#]*\{/;

export const wordsOf = (template: string): ReadonlySet<string> =>
  new Set(Array.from(template.matchAll(PLACEHOLDER), ({ groups }) => groups?.['word'] ?? ''));

/** With what stands for each name. */
export const fillTemplate = (template: string, nameFor: (word: PersonWord) => string): string =>
  template.replaceAll(PLACEHOLDER, (_, word: PersonWord) => nameFor(word));

/** The reference with a name in it that suits every store: for checks that know no person. */
export const sampleOf = (template: string): string => fillTemplate(template, () => 'x');

/** What is wrong with it, for the operator. */
export function templateProblem(template: string): string | undefined {
  const words = wordsOf(template);
  const sample = sampleOf(template);
  const parsed = parseValue(sample);
  if (parsed === undefined) return wantedReference(sample);
  if (parsed.kind === 'literal') return 'is not a reference. Write file:/secrets/{user}/token.';
  if (parsed.kind === 'env') return 'is in the environment, which has no place for people. Use files or a store.';
  if (!words.has('user') && !words.has('subject')) {
    return 'is the same for everyone. Add {user}, or write it under headers or env of the server.';
  }
  if (/[{}]/.test(sample)) return 'has a placeholder that is not known. There are {tenant}, {subject} and {user}.';
  if (!HEAD.test(template)) return 'lets a name choose the store or the command. Put a folder before it.';
  if (TOLD_APART.test(template)) return 'has two names that cannot be told apart. Put a / between them.';
  return undefined;
}
