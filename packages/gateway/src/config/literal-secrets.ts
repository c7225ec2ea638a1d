/** Walks a part of the configuration, as it was written, and finds every secret that stands in it. */

import type { PathStep } from './document.ts';
import { secretInArguments, secretInDatabaseUrl, secretInText, secretInValue } from './literal-secret.ts';
import type { SecretFinding } from './literal-secret.ts';
import { parseValue } from './references.ts';

export type FoundSecret = { readonly path: readonly PathStep[]; readonly finding: SecretFinding };

const VALUE_MAPS: ReadonlySet<PathStep> = new Set(['headers', 'env']);
const ARGUMENT_LISTS: ReadonlySet<PathStep> = new Set(['command', 'args']);

/** Deeper than any setting goes. */
const MAX_DEPTH = 16;

export function findLiteralSecrets(value: unknown): readonly FoundSecret[] {
  const found: FoundSecret[] = [];
  walk(value, [], found);
  return found;
}

function walk(value: unknown, path: readonly PathStep[], found: FoundSecret[]): void {
  if (path.length > MAX_DEPTH) return;
  const step = path.at(-1);
  if (typeof value === 'string') {
    const finding = path.join('.') === 'storage.url' ? secretInDatabaseUrl(value) : secretInText(value);
    if (finding !== undefined) found.push({ path, finding });
  } else if (Array.isArray(value)) {
    const texts = value.filter((item) => typeof item === 'string');
    if (step !== undefined && ARGUMENT_LISTS.has(step) && texts.length === value.length) {
      const argument = secretInArguments(texts);
      if (argument !== undefined) found.push({ path: [...path, argument.index], finding: argument.finding });
    } else {
      for (const [index, item] of value.entries()) walk(item, [...path, index], found);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      if (step !== undefined && VALUE_MAPS.has(step)) checkValue(key, item, [...path, key], found);
      else walk(item, [...path, key], found);
    }
  }
}

function checkValue(name: string, value: unknown, path: readonly PathStep[], found: FoundSecret[]): void {
  if (typeof value !== 'string' || parseValue(value)?.kind !== 'literal') return;
  const finding = secretInValue(name, value);
  if (finding !== undefined) found.push({ path, finding });
}
