import { afterAll, describe, expect, it } from 'vitest';

import type { JsonObject } from '../model/json.ts';
import { failureOf, object, PATIENT, tool } from './schema-validator.fixture.ts';
import { createArgumentValidator } from './schema-validator.ts';

const validator = createArgumentValidator(PATIENT);
afterAll(() => validator.close());

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
    const failure = await failureOf(validator, tool(schema), args);
    expect(failure?.code).toBe('invalid-arguments');
    expect(failure?.message).toBe(`The arguments do not match the tool's input schema. ${messages.join('; ')}.`);
    expect(failure?.data).toMatchObject({ problems: messages.map((message) => ({ message })) });
  });

  it('are told at most five problems, and never a value', async () => {
    const letters = 'a b c d e f g h i j'.split(' ');
    const wide = object(Object.fromEntries(letters.map((letter) => [letter, { type: 'integer' }])));
    const failure = await failureOf(
      validator,
      tool(wide),
      Object.fromEntries(letters.map((letter) => [letter, 'hunter2'])),
    );
    expect(failure?.data?.['problems']).toHaveLength(5);
    expect(JSON.stringify(failure)).not.toContain('hunter2');
    expect(failure?.message).toMatch(/There may be more\.$/u);
  });

  it('do not make a message long by their names', async () => {
    const failure = await failureOf(validator, tool(schema), { path: 'a', ['x'.repeat(100_000)]: 1 });
    expect(failure?.message?.length).toBeLessThan(400);
  });
});
