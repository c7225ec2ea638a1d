/**
 * Takes secrets and personal data out of a body: every string, decoded, and every member's name; what stands under the name
 * of a credential whatever it looks like. Runs in the redaction thread.
 */

import type { Json, JsonObject } from '../../model/json.ts';
import { nameKind, type NameKind } from './credential-names.ts';
import { PRIVATE_MEMBERS } from './json-web-keys.ts';
import { isCard } from './personal.ts';
import { looksRandom } from './randomness.ts';
import type { TextRedactor } from './redact-text.ts';

export type Walk = { readonly redactor: TextRedactor; readonly rules: Set<string> };

/** Bodies are bounded before; deeper ones cannot come. */
const MAX_DEPTH = 256;

export function redactBody(body: JsonObject, walk: Walk): JsonObject {
  return redactObject(body, walk, 0);
}

function redactValue(value: Json, walk: Walk, depth: number): Json {
  if (typeof value === 'string') return walk.redactor.redact(value, walk.rules);
  if (typeof value === 'number') return redactNumber(value, walk);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return takenOut('depth', walk);
  return isList(value) ? redactList(value, walk, depth) : redactObject(value, walk, depth);
}

const isList = (value: readonly Json[] | JsonObject): value is readonly Json[] => Array.isArray(value);

function takenOut(rule: string, { rules }: Walk): string {
  rules.add(rule);
  return `[redacted:${rule}]`;
}

/** A card's number fits into a JSON number. */
function redactNumber(value: number, walk: Walk): Json {
  const isLong = value >= 1e12 && Number.isSafeInteger(value);
  return isLong && walk.redactor.takes('card') && isCard(String(value)) ? takenOut('card', walk) : value;
}

function redactObject(value: JsonObject, walk: Walk, depth: number): JsonObject {
  const isPrivateKey = typeof value['kty'] === 'string';
  const named = pairOf(value);
  const members: [string, Json][] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const kind = isPrivateKey && PRIVATE_MEMBERS.has(name) ? 'secret' : (named.get(name) ?? nameKind(name));
    members.push([walk.redactor.redact(name, walk.rules), redactMember(member, kind, { walk, depth: depth + 1 })]);
  }
  return Object.fromEntries(members);
}

/** `{"name": "DB_PASSWORD", "value": "…"}`: variables, headers, form fields. */
const NAME_MEMBERS = ['name', 'key', 'header', 'field', 'k', 'id', 'variable', 'param', 'Name', 'Key'];
const VALUE_MEMBERS = ['value', 'val', 'v', 'content', 'data', 'values', 'Value'];

function pairOf(value: JsonObject): ReadonlyMap<string, NameKind | undefined> {
  for (const member of NAME_MEMBERS) {
    const name = value[member];
    if (typeof name !== 'string' || !isBareName(name)) continue;
    const kind = nameKind(name);
    if (kind !== undefined) return new Map([...VALUE_MEMBERS.map((one) => [one, kind] as const), [member, undefined]]);
  }
  return NO_PAIR;
}

const NO_PAIR: ReadonlyMap<string, NameKind | undefined> = new Map();

const isBareName = (text: string): boolean => /^-{0,2}[A-Za-z][A-Za-z0-9_.-]{1,63}$/.test(text);

/** What a schema says of a member with such a name is not its value. */
const ABOUT_IT = new Set([
  'type',
  'description',
  'title',
  'format',
  '$ref',
  'example',
  'required',
  'readOnly',
  'writeOnly',
]);

type At = { readonly walk: Walk; readonly depth: number };

function redactMember(value: Json, kind: NameKind | undefined, { walk, depth }: At): Json {
  if (kind === undefined) return redactValue(value, walk, depth);
  if (typeof value === 'string' || typeof value === 'number') return redactLeaf(value, kind, walk);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return takenOut('depth', walk);
  if (isList(value)) return value.map((item) => redactMember(item, kind, { walk, depth: depth + 1 }));
  const members = Object.entries(value).flatMap(([name, member]): [string, Json][] =>
    member === undefined
      ? []
      : [
          [
            walk.redactor.redact(name, walk.rules),
            redactMember(member, ABOUT_IT.has(name) ? undefined : kind, { walk, depth: depth + 1 }),
          ],
        ],
  );
  return Object.fromEntries(members);
}

function redactLeaf(value: string | number, kind: NameKind, walk: Walk): Json {
  const { redactor } = walk;
  const text = String(value);
  const digits = text.replace(/\D/g, '').length;
  if (isMeant(kind, text, digits, typeof value === 'number')) {
    if (kind === 'secret' || kind === 'header' || kind === 'digits' || kind === 'weak') return takenOut('named', walk);
    if (redactor.takes(kind)) return takenOut(kind, walk);
  }
  return redactValue(value, walk, MAX_DEPTH);
}

function isMeant(kind: NameKind, text: string, digits: number, isNumber: boolean): boolean {
  if (text === '' || text.startsWith('[redacted')) return false;
  switch (kind) {
    case 'secret':
      // Five digits are a count or a limit; a password of digits comes as a string.
      return !isNumber || text.length > 5;
    case 'header':
      return !isNumber;
    case 'digits':
      return /^\d{3,10}$/.test(text);
    case 'weak':
      return looksRandom(text);
    case 'phone':
      return digits >= 7 && digits <= 15 && /^[+\d\s().\-/x]{7,32}$/.test(text);
    case 'ssn':
      return digits === 9 && /^[\d\s-]{9,11}$/.test(text);
    case 'card':
      return digits >= 12 && digits <= 19 && /^[\d\s-]{12,32}$/.test(text);
  }
}

/** `["--password", "…"]` and `["X-Api-Key", "…"]`: command lines, and headers as pairs. */
function redactList(value: readonly Json[], walk: Walk, depth: number): Json {
  return value.map((item, index) => {
    const before = index === 0 ? undefined : value[index - 1];
    const kind =
      typeof item === 'string' && typeof before === 'string' && isNameOfNext(before) ? nameKind(before) : undefined;
    return redactMember(item, kind === 'secret' || kind === 'header' ? kind : undefined, { walk, depth: depth + 1 });
  });
}

/** In a list of words `password` is one of them; a flag, a variable or a header's name looks like none. */
const isNameOfNext = (text: string): boolean =>
  isBareName(text) && /^--|[_-]|[a-z][A-Z]|^[Aa]uthorization$|^[Cc]ookie$/.test(text);
