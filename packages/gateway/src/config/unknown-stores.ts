/** Finds references to stores that the configuration does not have, as they were written, so that each can name its line. */

import { nearestName } from '../model/nearest-name.ts';
import type { StoreKind } from './secrets-config.ts';
import type { PathStep } from './document.ts';
import { sampleOf } from './person-template.ts';
import { parseValue } from './references.ts';

export type KnownStores = { readonly kinds: ReadonlySet<StoreKind>; readonly commands: readonly string[] };

export type UnknownStore = {
  readonly path: readonly PathStep[];
  readonly said: { readonly message: string; readonly mend: string };
};

/** Where references can stand; anywhere else, `exec:` and the like are plain text. */
const VALUE_MAPS: ReadonlySet<PathStep> = new Set(['headers', 'env']);
const VALUES: ReadonlySet<PathStep> = new Set([
  'url',
  'clientSecret',
  'token',
  'roleId',
  'secretId',
  'jwt',
  'accessKeyId',
  'secretAccessKey',
  'sessionToken',
]);

/** Deeper than any setting goes. */
const MAX_DEPTH = 16;

export function findUnknownStores(value: unknown, known: KnownStores): readonly UnknownStore[] {
  const found: UnknownStore[] = [];
  walk(value, [], (text, path) => {
    const said = unknownStore(text, known);
    if (said !== undefined) found.push({ path, said });
  });
  return found;
}

function walk(
  value: unknown,
  path: readonly PathStep[],
  visit: (text: string, path: readonly PathStep[]) => void,
): void {
  if (path.length > MAX_DEPTH) return;
  if (typeof value === 'string') {
    const [outer, last] = path.slice(-2);
    if ((last !== undefined && VALUES.has(last)) || (outer !== undefined && VALUE_MAPS.has(outer))) visit(value, path);
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) walk(item, [...path, index], visit);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) walk(item, [...path, key], visit);
  }
}

function unknownStore(text: string, { kinds, commands }: KnownStores): UnknownStore['said'] | undefined {
  const reference = parseValue(sampleOf(text));
  if (reference === undefined || !('reference' in reference)) return undefined;
  const { kind } = reference;
  if (kind === 'exec') {
    const [name = ''] = reference.reference.split(/[/#]/, 1);
    if (commands.includes(name)) return undefined;
    const near = nearestName(name, commands);
    const mend =
      near === undefined ? `Add it: secrets: { exec: { ${name}: { command: [...] } } }.` : `Did you mean ${near}?`;
    return { message: `refers to the command "${name}", and secrets.exec has none of that name.`, mend };
  }
  if (kinds.has(kind)) return undefined;
  return {
    message: `refers to the store ${kind}, and secrets.${kind} is not there.`,
    mend: `Add secrets.${kind}; docs/credentials.md has a recipe.`,
  };
}
