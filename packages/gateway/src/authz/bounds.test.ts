import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { authorizerFor, callOf, principal, tool } from './authorizer-fixture.ts';
import { BoundedCache } from './bounded-cache.ts';
import { SYSTEM_PRINCIPAL, systemPermit } from './permit.ts';

describe('BoundedCache', () => {
  it('never holds more than its bound, and never a wrong value', () => {
    const step = fc.tuple(fc.constantFrom('get', 'set'), fc.nat(12), fc.nat(1_000));
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.array(step, { maxLength: 200 }), (bound, steps) => {
        const cache = new BoundedCache<number>(bound);
        const latest = new Map<string, number>();
        for (const [action, key, value] of steps) {
          const name = `k${key}`;
          if (action === 'set') {
            cache.set(name, value);
            latest.set(name, value);
            expect(cache.get(name)).toBe(value);
          } else {
            const held = cache.get(name);
            if (held !== undefined) expect(held).toBe(latest.get(name));
          }
          expect(cache.size).toBeLessThanOrEqual(bound);
        }
      }),
    );
  });

  it('keeps what is in use', () => {
    const cache = new BoundedCache<number>(10);
    cache.set('used', 1);
    for (let index = 0; index < 100; index++) {
      cache.set(`other-${index}`, index);
      expect(cache.get('used')).toBe(1);
    }
  });

  it.each([0, 1, 2.5, Number.NaN])('refuses the bound %s', (bound) => {
    expect(() => new BoundedCache(bound)).toThrow(RangeError);
  });
});

describe('at every bound', () => {
  const alice = principal('alice');
  const many = Array.from({ length: 530 }, (_, index) => tool(`files/t${index}`));
  const policies = many
    .map(
      ({ name }, index) =>
        `permit (principal, action, resource == Tool::"files/${name}") when { context.arguments.n == ${index} };`,
    )
    .join('\n');

  it('decides the same with more lists of policies than the engine keeps', () => {
    const authorizer = authorizerFor(policies);
    // The engine keeps 512: the first ones are asked about again after they were forgotten.
    for (const [index, entry] of [...many.entries(), ...many.slice(0, 20).entries()]) {
      expect(authorizer.authorize(callOf(alice, entry, { n: index })).effect).toBe('allow');
    }
    expect(authorizer.authorize(callOf(alice, many[0] ?? tool('files/t0'), { n: 1 })).effect).toBe('deny');
  });

  it('decides the same with hardly any memory', () => {
    const authorizer = authorizerFor({
      policies: [
        { id: 'p', text: 'permit (principal == User::"u3", action, resource) when { resource.name like "*7" };' },
      ],
      limits: { maxPrincipals: 2, maxVerdicts: 2, maxSlices: 2 },
    });
    const people = Array.from({ length: 5 }, (_, index) => principal(`u${index}`));
    for (let round = 0; round < 2; round++) {
      for (const who of people) {
        for (const entry of many.slice(0, 20)) {
          const expected = who.name === 'u3' && entry.name.endsWith('7') ? 'allow' : 'deny';
          expect(authorizer.authorize(callOf({ ...who }, entry)).effect).toBe(expected);
        }
      }
    }
  });
});

describe('systemPermit', () => {
  const target = { endpoint: { kind: 'server', server: 'files' }, entries: [tool('files/x')] } as const;

  it('is the gateway’s own, without obligations', () => {
    expect(systemPermit({ kind: 'list', of: 'tools' }, target)).toMatchObject({
      principal: SYSTEM_PRINCIPAL,
      obligations: [],
    });
  });

  it('cannot be had for a call', () => {
    // @ts-expect-error A tool is called on someone's behalf, by policy's leave.
    expect(() => systemPermit({ kind: 'call-tool', name: 'x', arguments: {} }, target)).not.toThrow();
  });
});
