import { afterAll, describe, expect, it } from 'vitest';

import { Refusal } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import { failureOf, object, PATIENT, tool } from './schema-validator.fixture.ts';
import { createArgumentValidator } from './schema-validator.ts';

const validator = createArgumentValidator(PATIENT);
afterAll(() => validator.close());

describe('valid arguments', () => {
  it('pass without waiting for anything', () => {
    const entry = tool(object({ path: { type: 'string' } }, { required: ['path'] }));
    expect(validator.validate(entry, { path: 'a.txt' })).toBeUndefined();
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

  it('is what it takes to explain much that is wrong', async () => {
    const entry = tool(object({ a: { type: 'array', items: { type: 'integer' } } }));
    const failure = await failureOf(validator, entry, { a: Array.from({ length: 20_000 }, () => 'x') });
    expect(failure?.message).toContain('arguments.a[0]: expected integer, found string');
  });

  it('explains itself as any other', async () => {
    const schema = object({ child: { $ref: '#' }, name: { type: 'string' } }, { additionalProperties: false });
    const failure = await failureOf(validator, tool(schema), { child: { nam: 'x' } });
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
    const first = failureOf(quick, hostile, { a: `${'a'.repeat(40)}!` });
    const second = failureOf(quick, tool(branching), deep);
    expect((await first)?.message).toContain('longer than 300 ms');
    expect((await first)?.code).toBe('unusable-schema');
    expect((await second)?.message).toContain('longer than 300 ms');
    await quick.close();
    const patient = createArgumentValidator({ deadlineMs: 2_000, maxWaitMs: 15_000 });
    expect((await failureOf(patient, hostile, { a: `${'a'.repeat(40)}!` }))?.code).toBe('unusable-schema');
    // Not held against the tool: with other arguments it is answered, by a new thread.
    expect((await failureOf(patient, hostile, { a: 7 }))?.code).toBeUndefined();
    await patient.close();
  });

  it('is refused when too many wait already', async () => {
    const busy = createArgumentValidator({ deadlineMs: 15_000, maxWaitMs: 15_000, maxQueue: 2 });
    const entry = tool({ properties: { a: { $ref: '#' } } });
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => failureOf(busy, entry, { a: {} })));
    expect(outcomes.filter((failure) => failure?.code === 'overloaded').length).toBeGreaterThanOrEqual(3);
    expect(outcomes.filter((failure) => failure === undefined).length).toBeGreaterThanOrEqual(2);
    await busy.close();
  });

  it('is answered when the validator closes', async () => {
    const closing = createArgumentValidator({ deadlineMs: 15_000, maxWaitMs: 15_000 });
    const pending = failureOf(closing, tool({ properties: { a: { $ref: '#' } } }), { a: {} });
    await closing.close();
    expect((await pending)?.code).toBe('overloaded');
  });
});
