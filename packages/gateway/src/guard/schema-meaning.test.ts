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

describe('a schema means what its dialect says', () => {
  const node = {
    type: 'object',
    properties: { value: { type: 'integer' }, next: { $ref: '#/$defs/node' } },
    required: ['value'],
  };
  const email =
    "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$";
  it.each<[string, JsonObject, readonly JsonObject[], readonly JsonObject[]]>([
    [
      'types',
      object({ a: { type: ['integer', 'null'] } }),
      [{ a: 1 }, { a: null }, {}],
      [{ a: 1.5 }, { a: '1' }, { a: [] }],
    ],
    ['boolean schemas', object({ a: true, b: false }), [{ a: 1 }, {}], [{ b: 1 }]],
    [
      'enum and const',
      object({ a: { enum: ['x', 1, { y: 2 }] }, b: { const: null } }),
      [{ a: { y: 2 }, b: null }],
      [{ a: 'y' }, { b: 0 }],
    ],
    [
      'bounds',
      object({ a: { minimum: 1, exclusiveMaximum: 3, multipleOf: 0.5 } }),
      [{ a: 1 }, { a: 2.5 }],
      [{ a: 0.5 }, { a: 3 }, { a: 1.2 }],
    ],
    ['bounds of draft 4', object({ a: { minimum: 1, exclusiveMinimum: true } }), [{ a: 1.5 }], [{ a: 1 }]],
    [
      'lengths in characters',
      object({ a: { minLength: 2, maxLength: 2 } }),
      [{ a: '😀😀' }, { a: 'ab' }],
      [{ a: '😀' }, { a: 'abc' }],
    ],
    [
      'tuples of 2020-12',
      object({ a: { prefixItems: [{ type: 'string' }], items: false } }),
      [{ a: ['x'] }, { a: [] }],
      [{ a: [1] }, { a: ['x', 1] }],
    ],
    [
      'tuples of draft 7',
      object({ a: { items: [{ type: 'string' }], additionalItems: false } }),
      [{ a: ['x'] }],
      [{ a: [1] }, { a: ['x', 1] }],
    ],
    [
      'contains',
      object({ a: { contains: { const: 1 }, maxContains: 1 } }),
      [{ a: [1, 2] }],
      [{ a: [] }, { a: [1, 1] }],
    ],
    [
      'unique items',
      object({ a: { uniqueItems: true } }),
      [{ a: [{ x: 1 }, { x: 2 }] }],
      [{ a: [{ x: 1 }, { x: 1 }] }],
    ],
    [
      'combinations',
      { allOf: [{ required: ['a'] }], anyOf: [{ required: ['b'] }, { required: ['c'] }], not: { required: ['d'] } },
      [{ a: 1, b: 1 }],
      [{ b: 1 }, { a: 1 }, { a: 1, b: 1, d: 1 }],
    ],
    ['oneOf', { oneOf: [{ required: ['a'] }, { required: ['b'] }] }, [{ a: 1 }], [{ a: 1, b: 1 }, {}]],
    [
      'conditions',
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      { if: { required: ['a'] }, then: { required: ['b'] }, else: { required: ['c'] } },
      [{ a: 1, b: 1 }, { c: 1 }],
      [{ a: 1 }, {}],
    ],
    [
      'dependencies of draft 7',
      { dependencies: { a: ['b'], c: { required: ['d'] } } },
      [{ a: 1, b: 1 }, {}],
      [{ a: 1 }, { c: 1 }],
    ],
    [
      'dependencies of 2020-12',
      { dependentRequired: { a: ['b'] }, dependentSchemas: { c: { required: ['d'] } } },
      [{}],
      [{ a: 1 }, { c: 1 }],
    ],
    ['names', { propertyNames: { pattern: '^[a-z]+$' }, minProperties: 1 }, [{ a: 1 }], [{ A: 1 }, {}]],
    [
      'patterns of names',
      object({ id: {} }, { patternProperties: { '^x-': { type: 'string' } }, additionalProperties: false }),
      [{ id: 1, 'x-a': 's' }],
      [{ 'x-a': 1 }, { y: 1 }],
    ],
    [
      'patterns of names with a schema for the rest',
      {
        patternProperties: { '^x-': { $ref: '#/$defs/s' } },
        additionalProperties: { type: 'integer' },
        $defs: { s: { type: 'string' } },
      },
      [{ 'x-a': 's', n: 1 }],
      [{ 'x-a': 1 }, { n: 's' }],
    ],
    [
      'unevaluated properties',
      { allOf: [object({ a: {} })], patternProperties: { '^x-': {} }, unevaluatedProperties: false },
      [{ a: 1, 'x-b': 1 }],
      [{ b: 1 }],
    ],
    ['patterns', object({ a: { pattern: '^\\d{3}$' } }), [{ a: '123' }, { a: 5 }], [{ a: '12a' }, { a: '1234' }]],
    [
      'patterns with lookaheads in front',
      object({ a: { pattern: email } }),
      [{ a: 'a.b@example.org' }],
      [{ a: '.a@example.org' }, { a: 'a..b@example.org' }, { a: 'a' }],
    ],
    [
      'patterns that only a backtracking engine knows',
      object({ a: { pattern: '^(a|b)\\1$' } }),
      [{ a: 'aa' }],
      [{ a: 'ab' }],
    ],
    ['format as an annotation', object({ a: { format: 'email' } }), [{ a: 'no address' }], []],
    [
      'properties called like keywords',
      object({
        pattern: { type: 'string', pattern: '^x' },
        enum: { type: 'integer' },
        patternProperties: { type: 'boolean' },
        $ref: { const: 1 },
        const: { pattern: '^y' },
      }),
      [{ pattern: 'x', enum: 1, patternProperties: true, $ref: 1, const: 'y' }],
      [{ pattern: 'y' }, { enum: 'x' }, { patternProperties: 1 }, { $ref: 2 }, { const: 'x' }],
    ],
    [
      'a property called constructor',
      object({ constructor: { type: 'string' } }, { required: ['constructor'] }),
      [{ constructor: 'x' }],
      [{}, { constructor: 1 }],
    ],
    [
      'references into definitions',
      object({ a: { $ref: '#/definitions/x' } }, { definitions: { x: { type: 'string' } } }),
      [{ a: 's' }],
      [{ a: 1 }],
    ],
    [
      'references with company',
      object({ a: { $ref: '#/$defs/x', maxLength: 1 } }, { $defs: { x: { type: 'string' } } }),
      [{ a: 's' }],
      [{ a: 'ss' }, { a: 1 }],
    ],
    [
      'references by anchor',
      object({ a: { $ref: '#x' } }, { $defs: { y: { $anchor: 'x', type: 'string' } } }),
      [{ a: 's' }],
      [{ a: 1 }],
    ],
    [
      'references by $id',
      object(
        { a: { $ref: 'x.json' } },
        {
          $id: 'https://example.org/root.json',
          $defs: { y: { $id: 'x.json', $ref: '#/$defs/z', $defs: { z: { type: 'string' } } } },
        },
      ),
      [{ a: 's' }],
      [{ a: 1 }],
    ],
    [
      'references with escapes',
      object({ a: { $ref: '#/$defs/a~1b%20c' } }, { $defs: { 'a/b c': { type: 'string' } } }),
      [{ a: 's' }],
      [{ a: 1 }],
    ],
    [
      'references to the whole',
      object({ child: { $ref: '#' }, n: { type: 'integer' } }),
      [{ child: { child: { n: 1 } } }],
      [{ child: { child: { n: 'x' } } }],
    ],
    [
      'dynamic references of one resource',
      { $dynamicAnchor: 'node', ...object({ child: { $dynamicRef: '#node' }, n: { type: 'integer' } }) },
      [{ child: { n: 1 } }],
      [{ child: { n: 'x' } }],
    ],
    [
      'lists that refer to themselves',
      { ...node, $defs: { node } },
      [{ value: 1, next: { value: 2 } }],
      [{ value: 1, next: {} }],
    ],
    [
      'nothing under keywords nobody knows',
      { 'x-mcp-header': 'A', whatever: { type: 5 }, type: 'object' },
      [{ a: 1 }],
      [],
    ],
  ])('%s', async (...[, schema, good, bad]) => {
    for (const args of good) expect(await accepts(schema, args), JSON.stringify(args)).toBe(true);
    for (const args of bad) expect(await accepts(schema, args), JSON.stringify(args)).toBe(false);
  });
});
