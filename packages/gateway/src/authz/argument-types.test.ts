import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../model/json.ts';
import { Place } from './argument-types.ts';
import { authorizerFor, callOf, principal, tool } from './authorizer-fixture.ts';
import { toCedarRecord } from './cedar-values.ts';

const decimal = (arg: string) => ({ __extn: { fn: 'decimal', arg } });
const unreadable = (id: string) => ({ __entity: { type: 'Unreadable', id } });

const NUMBER = { type: 'number' };
const INTEGER = { type: 'integer' };

/** `{ "v": value }`, mapped by what the schema says of `v`. */
function mapped(schema: JsonObject, value: JsonObject[string], definitions: JsonObject = {}): unknown {
  const root = { type: 'object', properties: { v: schema }, ...definitions };
  const made = toCedarRecord({ v: value }, { place: Place.root(root) });
  return made.ok ? made.value.v : made.error;
}

describe('a number', () => {
  const cases: readonly [string, JsonObject, JsonObject[string], unknown][] = [
    ['declared a number is a decimal when it is whole', NUMBER, 5, decimal('5.0')],
    ['declared a number is a decimal when it is not', NUMBER, 5.5, decimal('5.5')],
    ['declared a number is zero in one way', NUMBER, -0, decimal('0.0')],
    ['declared a number, with too many places, is unreadable', NUMBER, 0.12345, unreadable('0.12345')],
    ['declared a number, too large, is unreadable', NUMBER, 1e15, unreadable('1000000000000000')],
    ['declared an integer is a Long', INTEGER, 5, 5],
    ['declared an integer and none is unreadable', INTEGER, 5.5, unreadable('5.5')],
    ['declared an integer, beyond what is exact, is unreadable', INTEGER, 2 ** 60, unreadable(String(2 ** 60))],
    ['left open is a Long when it is whole', {}, 5, 5],
    ['left open is a decimal when it is not', {}, 5.5, decimal('5.5')],
    ['declared as one of several types is what the widest says', { type: ['integer', 'number'] }, 5, decimal('5.0')],
    ['that may be null is still one', { type: ['number', 'null'] }, 5, decimal('5.0')],
    ['of a choice is what the widest branch says', { anyOf: [INTEGER, NUMBER] }, 5, decimal('5.0')],
    ['of a choice with text is what the number says', { oneOf: [{ type: 'string' }, INTEGER] }, 5, 5],
    ['of all of several is found', { allOf: [{ minimum: 1 }, NUMBER] }, 5, decimal('5.0')],
    ['in a list is found', { items: NUMBER }, [1, 2.5], [decimal('1.0'), decimal('2.5')]],
    ['at a place of a list is found', { prefixItems: [INTEGER], items: NUMBER }, [1, 2], [1, decimal('2.0')]],
    ['at a place of a list, as older drafts have it', { items: [INTEGER, NUMBER] }, [1, 2, 3], [1, decimal('2.0'), 3]],
    [
      'in a record is found',
      { properties: { a: { properties: { b: NUMBER } } } },
      { a: { b: 1 } },
      { a: { b: decimal('1.0') } },
    ],
    ['under any key is found', { additionalProperties: NUMBER }, { x: 1 }, { x: decimal('1.0') }],
    ['under a key by pattern is found', { patternProperties: { '^x': NUMBER } }, { x: 1 }, { x: decimal('1.0') }],
    ['behind a reference to elsewhere is open', { $ref: 'https://example.com/number' }, 5, 5],
    ['behind a reference to nothing is open', { $ref: '#/$defs/absent' }, 5, 5],
    ['behind a reference to itself is open', { $ref: '#/properties/v' }, 5, 5],
  ];
  it.each(cases)('%s', (_, schema, value, expected) => expect(mapped(schema, value)).toEqual(expected));

  it('behind a local reference is found, escapes and all', () => {
    const $defs = { 'a/b%': NUMBER };
    expect(mapped({ $ref: '#/$defs/a~1b%25' }, 5, { $defs })).toEqual(decimal('5.0'));
  });

  it('in a schema that refers to itself is found at every depth', () => {
    const $defs = { tree: { properties: { n: NUMBER, next: { $ref: '#/$defs/tree' } } } };
    const value = { n: 1, next: { n: 2, next: { n: 3 } } };
    expect(mapped({ $ref: '#/$defs/tree' }, value, { $defs })).toEqual({
      n: decimal('1.0'),
      next: { n: decimal('2.0'), next: { n: decimal('3.0') } },
    });
  });

  it('in what the gateway put in the place of an argument is never typed by the schema', () => {
    const anything = { type: ['string', 'object', 'number'], additionalProperties: NUMBER };
    const root = { properties: { target: anything, list: { items: { properties: { url: anything } } } } };
    const place = Place.root(root, [['target'], ['list', 'url']]);
    const made = toCedarRecord({ target: { port: 443 }, list: [{ url: { port: 80 }, n: 1 }] }, { place });
    expect(made).toEqual({ ok: true, value: { target: { port: 443 }, list: [{ url: { port: 80 }, n: 1 }] } });
    const untouched = toCedarRecord({ target: { port: 443 } }, { place: Place.root(root) });
    expect(untouched).toEqual({ ok: true, value: { target: { port: decimal('443.0') } } });
  });

  it('in a schema with a great many parts is read within bounds', () => {
    const anyOf = Array.from({ length: 5_000 }, () => ({ anyOf: [{}, {}] }));
    expect(mapped({ anyOf: [...anyOf, NUMBER] }, 5)).toBe(5);
  });

  it('of one declared place has one type, whatever its value', () => {
    const isDecimal = (value: unknown): boolean => JSON.stringify(value).includes('decimal');
    const number = fc.oneof(
      fc.integer({ min: -1e6, max: 1e6 }),
      fc.integer({ min: -99, max: 99 }).map((n) => n / 8),
    );
    fc.assert(
      fc.property(number, (value) => {
        const made = mapped(NUMBER, value);
        expect(isDecimal(made)).toBe(true);
        const [, text] = /"arg":"([^"]*)"/.exec(JSON.stringify(made)) ?? [];
        expect(Number(text)).toBe(value);
      }),
    );
  });
});

describe('a policy on a declared number', () => {
  const alice = principal('alice');
  const pay = tool('bank/pay', {}, { type: 'object', properties: { amount: NUMBER, count: INTEGER } });
  const effect = (policy: string, args: JsonObject) => authorizerFor(policy).authorize(callOf(alice, pay, args)).effect;
  const LIMIT = `permit (principal, action, resource);
    forbid (principal, action, resource) when { context.arguments.amount.greaterThan(decimal("100.0")) };`;

  it('compares whole and broken numbers alike', () => {
    expect(effect(LIMIT, { amount: 100 })).toBe('allow');
    expect(effect(LIMIT, { amount: 99.99 })).toBe('allow');
    expect(effect(LIMIT, { amount: 101 })).toBe('deny');
    expect(effect(LIMIT, { amount: 100.01 })).toBe('deny');
  });

  it('denies what it cannot compare', () => {
    expect(effect(LIMIT, { amount: 1e20 })).toBe('deny');
    expect(effect(LIMIT, {})).toBe('deny');
    expect(effect('permit (principal, action, resource) when { context.arguments.amount < 5 };', { amount: 1 })).toBe(
      'deny',
    );
  });

  it('compares integers as Longs', () => {
    const few = 'permit (principal, action, resource) when { context.arguments.count < 5 };';
    expect(effect(few, { count: 4 })).toBe('allow');
    expect(effect(few, { count: 5 })).toBe('deny');
  });

  it('is not disturbed by arguments that it does not look at', () => {
    const forged = { amount: 1, other: { __entity: { type: 'User', id: 'alice' } } };
    expect(effect(LIMIT, forged)).toBe('allow');
    expect(
      effect(
        `${LIMIT} permit (principal, action, resource) when { context.arguments has other && context.arguments.other == "x" };`,
        forged,
      ),
    ).toBe('deny');
  });
});
