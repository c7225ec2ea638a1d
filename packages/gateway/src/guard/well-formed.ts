/** The keywords of one schema, each of the form that its dialect gives it. */

import type { Json, JsonObject } from '../model/json.ts';
import { KEYWORDS, malformed, type KeywordKind } from './keywords.ts';
import { Unsafe } from './schema-size.ts';

export type WellFormed = { readonly keyword: string; readonly value: Json; readonly kind: KeywordKind };

/**
 * The keywords that we know, in an order that puts `allOf` before the references that may add to it.
 *
 * @throws Unsafe when one of them is malformed.
 */
export function wellFormedKeywords(node: JsonObject, where: string): readonly WellFormed[] {
  const found: WellFormed[] = [];
  for (const [keyword, value] of Object.entries(fromDraft4(node))) {
    const kind = KEYWORDS.get(keyword);
    if (kind === undefined || value === undefined) continue;
    const expected = malformed(kind, value);
    if (expected !== undefined) throw new Unsafe(`${where}/${keyword} must be ${expected}`);
    if (kind === 'reference') found.push({ keyword, value, kind });
    else found.unshift({ keyword, value, kind });
  }
  return found;
}

/** Draft 4, and OpenAPI 3.0 after it, say whether a bound is exclusive with true or false beside it. */
function fromDraft4(node: JsonObject): JsonObject {
  if (typeof node['exclusiveMinimum'] !== 'boolean' && typeof node['exclusiveMaximum'] !== 'boolean') return node;
  const { exclusiveMinimum, exclusiveMaximum, minimum, maximum, ...rest } = node;
  return {
    ...rest,
    ...bound('minimum', 'exclusiveMinimum', minimum, exclusiveMinimum),
    ...bound('maximum', 'exclusiveMaximum', maximum, exclusiveMaximum),
  };
}

const bound = (inclusive: string, exclusive: string, limit: Json | undefined, flag: Json | undefined): JsonObject => {
  if (typeof flag !== 'boolean') return { [inclusive]: limit, [exclusive]: flag };
  return { [flag ? exclusive : inclusive]: limit };
};
