import { afterAll, describe, expect, it } from 'vitest';

import { Refusal, type Failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import { UNKNOWN_TRAITS, type ToolEntry } from '../model/target.ts';
import { createArgumentValidator, type SchemaValidator } from './schema-validator.ts';

/** Generous: a loaded machine must not turn an answer into an overrun. */
const validator = createArgumentValidator({ deadlineMs: 15_000, maxWaitMs: 15_000 });
afterAll(() => validator.close());

function tool(inputSchema: JsonObject): ToolEntry {
  return {
    kind: 'tool',
    server: { id: 'files', version: '1', sharing: 'shared' },
    name: 'a_tool',
    aggregateName: 'files_a_tool',
    definition: {},
    text: '{}',
    hash: '',
    traits: UNKNOWN_TRAITS,
    inputSchema,
  };
}

const object = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({ type: 'object', properties, ...more });

async function failureOf(
  of: ToolEntry,
  args: JsonObject,
  by: SchemaValidator = validator,
): Promise<Failure | undefined> {
  try {
    await by.validate(of, args);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.failure;
    throw error;
  }
}

const accepts = async (schema: JsonObject, args: JsonObject): Promise<boolean> => {
  const failure = await failureOf(tool(schema), args);
  if (failure !== undefined) expect(failure.code, failure.message).toBe('invalid-arguments');
  return failure === undefined;
};

describe('valid arguments', () => {
  it('pass without waiting for anything', () => {
    const entry = tool(object({ path: { type: 'string' } }, { required: ['path'] }));
    expect(validator.validate(entry, { path: 'a.txt' })).toBeUndefined();
  });
});

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

describe('arguments that break the schema', () => {
  const schema = object(
    {
      path: { type: 'string', minLength: 1 },
      head: { type: 'integer', minimum: 1 },
      order: { enum: ['asc', 'desc'] },
      edits: { type: 'array', items: { $ref: '#/$defs/edit' } },
      'odd name': { type: 'string' },
      maybe: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      choice: { anyOf: [{ type: 'string' }, object({ id: { type: 'integer' } }, { required: ['id'] })] },
      never: false,
    },
    {
      required: ['path'],
      additionalProperties: false,
      $defs: { edit: object({ old: { type: 'string' } }, { required: ['old'] }) },
    },
  );
  it.each<[JsonObject, readonly string[]]>([
    [{}, ['arguments.path: required property is missing; expected string']],
    [
      { pth: 'a' },
      ['arguments.path: required property is missing (did you mean "path" instead of "pth"?); expected string'],
    ],
    [{ path: 'a', hed: 1 }, ['arguments.hed: unknown property (did you mean "head"?)']],
    [{ path: 'a', zebra: 1 }, ['arguments.zebra: unknown property']],
    [{ path: 1 }, ['arguments.path: expected string, found number']],
    [{ path: null }, ['arguments.path: expected string, found null']],
    [{ path: '' }, ['arguments.path: expected text of at least 1 characters']],
    [{ path: 'a', head: 0 }, ['arguments.head: expected at least 1']],
    [{ path: 'a', order: 'up' }, ['arguments.order: expected one of "asc", "desc", found string']],
    [
      { path: 'a', edits: [{ old: 'x' }, { olde: 'x' }] },
      ['arguments.edits[1].old: required property is missing (did you mean "old" instead of "olde"?); expected string'],
    ],
    [{ path: 'a', edits: ['x'] }, ['arguments.edits[0]: expected object, found string']],
    [{ path: 'a', 'odd name': 1 }, ['arguments["odd name"]: expected string, found number']],
    [{ path: 'a', maybe: 1 }, ['arguments.maybe: expected string or null, found number']],
    [{ path: 'a', choice: { id: 'x' } }, ['arguments.choice.id: expected integer, found string']],
    [{ path: 'a', never: 1 }, ['arguments.never: expected nothing here']],
    [
      { path: 1, head: 'x' },
      ['arguments.path: expected string, found number', 'arguments.head: expected integer, found string'],
    ],
  ])('%j are answered with each field, what was expected and the nearest name', async (args, messages) => {
    const failure = await failureOf(tool(schema), args);
    expect(failure?.code).toBe('invalid-arguments');
    expect(failure?.message).toBe(`The arguments do not match the tool's input schema. ${messages.join('; ')}.`);
    expect(failure?.data).toMatchObject({ problems: messages.map((message) => ({ message })) });
  });

  it('are told at most five problems, and never a value', async () => {
    const letters = 'a b c d e f g h i j'.split(' ');
    const wide = object(Object.fromEntries(letters.map((letter) => [letter, { type: 'integer' }])));
    const failure = await failureOf(tool(wide), Object.fromEntries(letters.map((letter) => [letter, 'hunter2'])));
    expect(failure?.data?.['problems']).toHaveLength(5);
    expect(JSON.stringify(failure)).not.toContain('hunter2');
    expect(failure?.message).toMatch(/There may be more\.$/u);
  });

  it('do not make a message long by their names', async () => {
    const failure = await failureOf(tool(schema), { path: 'a', ['x'.repeat(100_000)]: 1 });
    expect(failure?.message?.length).toBeLessThan(400);
  });
});

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
    const failure = await failureOf(entry, {});
    expect(failure?.code).toBe('unusable-schema');
    expect(failure?.message).toContain(refused);
  });

  it('does not reach the validator with refinements of its own', async () => {
    const schema = object({ a: { type: 'string', '~refine': [{ check: 'x', error: 'y' }], '~kind': 'Any' } });
    expect(await accepts(schema, { a: 's' })).toBe(true);
    expect(await accepts(schema, { a: 1 })).toBe(false);
  });
});

describe('a costly check', () => {
  it('of a pattern that others take exponential time for is linear here', () => {
    const entry = tool(object({ a: { pattern: '^(a+)+$' }, b: { pattern: '^(?=.*x)(a|a)*$' } }));
    expect(() => validator.validate(entry, { a: `${'a'.repeat(5000)}!` })).toThrow(Refusal);
    expect(() => validator.validate(entry, { b: `${'a'.repeat(5000)}!` })).toThrow(Refusal);
  });

  it.each<[string, JsonObject, JsonObject]>([
    [
      'of many properties',
      object(Object.fromEntries(Array.from({ length: 900 }, (_, at) => [`p${at}`, { type: 'string' }]))),
      { p1: 'a' },
    ],
    [
      'of many arguments',
      object({ a: { type: 'array', items: { type: 'integer' } } }),
      { a: Array.from({ length: 100_000 }, (_, at) => at) },
    ],
    ['of long text', object({ a: { pattern: '^(?:x|y|[a-z]{1,200})*$' } }), { a: 'a'.repeat(20_000) }],
  ])('%s leaves the event loop, and passes', async (_, schema, args) => {
    const pending = validator.validate(tool(schema), args);
    expect(pending).toBeInstanceOf(Promise);
    await pending;
  });

  it('explains itself as any other', async () => {
    const schema = object({ child: { $ref: '#' }, name: { type: 'string' } }, { additionalProperties: false });
    const failure = await failureOf(tool(schema), { child: { nam: 'x' } });
    expect(failure?.message).toContain('arguments.child.nam: unknown property (did you mean "name"?)');
  });

  it('that takes too long is ended, and the next one goes on', async () => {
    const quick = createArgumentValidator({ deadlineMs: 300, maxWaitMs: 15_000 });
    const hostile = tool(object({ a: { pattern: '^(?:(a+)+)(?<!b)$' } }));
    const branching = {
      anyOf: [object({ c: { $ref: '#' }, x: false }), object({ c: { $ref: '#' }, y: false })],
      not: { required: ['z'] },
    };
    let deep: JsonObject = { z: 1 };
    for (let depth = 0; depth < 60; depth++) deep = { c: deep };
    const first = failureOf(hostile, { a: `${'a'.repeat(40)}!` }, quick);
    const second = failureOf(tool(branching), deep, quick);
    expect((await first)?.message).toContain('longer than 300 ms');
    expect((await first)?.code).toBe('unusable-schema');
    expect((await second)?.message).toContain('longer than 300 ms');
    await quick.close();
    const patient = createArgumentValidator({ deadlineMs: 300, maxWaitMs: 15_000 });
    expect((await failureOf(hostile, { a: `${'a'.repeat(40)}!` }, patient))?.code).toBe('unusable-schema');
    // Not held against the tool: with other arguments it is answered, by a new thread.
    expect((await failureOf(hostile, { a: 7 }, patient))?.code).toBeUndefined();
    await patient.close();
  });

  it('is refused when too many wait already', async () => {
    const busy = createArgumentValidator({ deadlineMs: 15_000, maxWaitMs: 15_000, maxQueue: 2 });
    const entry = tool({ properties: { a: { $ref: '#' } } });
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => failureOf(entry, { a: {} }, busy)));
    expect(outcomes.filter((failure) => failure?.code === 'overloaded').length).toBeGreaterThanOrEqual(3);
    expect(outcomes.filter((failure) => failure === undefined).length).toBeGreaterThanOrEqual(2);
    await busy.close();
  });

  it('is answered when the validator closes', async () => {
    const closing = createArgumentValidator({ deadlineMs: 15_000, maxWaitMs: 15_000 });
    const pending = failureOf(tool({ properties: { a: { $ref: '#' } } }), { a: {} }, closing);
    await closing.close();
    expect((await pending)?.code).toBe('overloaded');
  });
});
