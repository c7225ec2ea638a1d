import { afterAll, describe, expect, it } from 'vitest';

import type { JsonObject } from '../model/json.ts';
import { failureOf, object, PATIENT, tool } from './schema-validator.fixture.ts';
import { createArgumentValidator } from './schema-validator.ts';

const validator = createArgumentValidator(PATIENT);
afterAll(() => validator.close());

const accepts = async (schema: JsonObject, args: JsonObject): Promise<boolean> => {
  const failure = await failureOf(validator, tool(schema), args);
  if (failure !== undefined) expect(failure.code, failure.message).toBe('invalid-arguments');
  return failure === undefined;
};

const nested = (depth: number): JsonObject =>
  depth === 0 ? { type: 'string' } : { properties: { a: nested(depth - 1) } };
const doubling = (levels: number, keyword: string): JsonObject => ({
  $ref: '#/$defs/l0',
  $defs: Object.fromEntries([
    ...Array.from({ length: levels }, (_, level) => {
      const next = { $ref: `#/$defs/l${level + 1}` };
      return [`l${level}`, { [keyword]: [next, next] }] as const;
    }),
    [`l${levels}`, { type: 'object' }] as const,
  ]),
});

const chain = (length: number): JsonObject => ({
  $ref: '#/$defs/l0',
  $defs: Object.fromEntries(
    Array.from({ length }, (_, at) => [`l${at}`, at + 1 < length ? { items: { $ref: `#/$defs/l${at + 1}` } } : true]),
  ),
});

describe('a schema that cannot be checked safely', () => {
  it.each<[string, JsonObject, RegExp]>([
    ['references the network', object({ a: { $ref: 'https://evil.example/schema.json' } }), /outside of the schema/u],
    ['references a file', object({ a: { $ref: 'file:///etc/passwd' } }), /outside of the schema/u],
    ['references nothing', object({ a: { $ref: '#/$defs/none' } }), /nothing where it points/u],
    ['references what is no schema', object({ a: { $ref: '#/properties/a/$ref' } }), /no schema/u],
    ['references an inherited property', object({ a: { $ref: '#/constructor' } }), /nothing where it points/u],
    ['refers to itself at once', { $ref: '#' }, /without end/u],
    [
      'refers to itself in a circle',
      { allOf: [{ $ref: '#/$defs/a' }], $defs: { a: { anyOf: [{ $ref: '#/$defs/b' }] }, b: { $ref: '#/$defs/a' } } },
      /without end/u,
    ],
    [
      'refers to itself in a circle that starts further down',
      {
        properties: { p: { $ref: '#/$defs/w' } },
        allOf: [{ $ref: '#/$defs/w' }],
        $defs: { w: { allOf: [{ $ref: '#' }] } },
      },
      /without end/u,
    ],
    ['doubles with each reference', doubling(40, 'allOf'), /expand/u],
    ['doubles with each alternative', doubling(40, 'oneOf'), /expand/u],
    ['refers on and on', chain(300), /lead from one to the next/u],
    ['is nested too deeply', nested(40), /nested/u],
    [
      'has 3,000 properties',
      object(Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`p${at}`, { type: 'string' }]))),
      /3000 members/u,
    ],
    ['is too long', object({ a: { const: 'x'.repeat(300_000) } }), /longer/u],
    ['has a type that is none', object({ a: { type: 'function' } }), /type must be/u],
    ['has a malformed keyword', object({ a: { required: true } }), /required must be/u],
    ['has properties that are none', { properties: { a: 'string' } }, /properties must be/u],
    ['relies on inherited names', object({}, { required: ['toString'] }), /required must be/u],
    ['sets a prototype', { properties: JSON.parse('{"__proto__": {"type": "string"}}') as JsonObject }, /__proto__/u],
    ['has a pattern that is none', object({ a: { pattern: '(' } }), /not a regular expression/u],
    ['has a huge pattern', object({ a: { pattern: 'x'.repeat(5000) } }), /longer than/u],
    ['repeats without measure', object({ a: { pattern: 'a{5000}' } }), /repeats/u],
    [
      'refers dynamically between resources',
      { $dynamicRef: '#a', $defs: { b: { $id: 'b.json', $dynamicAnchor: 'a' } } },
      /\$dynamicRef/u,
    ],
  ])('because it %s is refused, with the reason', async (_, schema, reason) => {
    const entry = tool(schema);
    const refused = await validator.prepare(entry);
    expect(refused).toMatch(reason);
    const failure = await failureOf(validator, entry, {});
    expect(failure?.code).toBe('unusable-schema');
    expect(failure?.message).toContain(refused);
  });

  it('does not reach the validator with refinements of its own', async () => {
    const schema = object({ a: { type: 'string', '~refine': [{ check: 'x', error: 'y' }], '~kind': 'Any' } });
    expect(await accepts(schema, { a: 's' })).toBe(true);
    expect(await accepts(schema, { a: 1 })).toBe(false);
  });
});
