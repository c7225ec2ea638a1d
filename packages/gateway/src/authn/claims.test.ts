import { describe, expect, it } from 'vitest';

import type { Json } from '../model/json.ts';
import { principalFromClaims } from './claims.ts';

function actorsOf(act: Json): unknown {
  const claims = { sub: 'alice', exp: 2_000_000_000, act };
  const principal = principalFromClaims(claims, { issuer: 'https://idp', groupsClaim: 'groups' });
  return principal.ok ? principal.value.actors : principal.error;
}

describe('who acts for the subject of a token (RFC 8693, act)', () => {
  it('is told with those that delegated before, the current actor first', () => {
    expect(actorsOf({ sub: 'agent', iss: 'https://idp', client_id: 'c1', act: { sub: 'planner' } })).toEqual([
      { subject: 'agent', issuer: 'https://idp', clientId: 'c1' },
      { subject: 'planner' },
    ]);
  });

  it.each<[Json, unknown]>([
    [null, undefined],
    ['agent', undefined],
    [['agent'], undefined],
    [{ iss: 'https://idp' }, undefined],
    [{ sub: 7, act: { sub: 'planner' } }, [{ subject: 'planner' }]],
  ])('in %j is %j: what is misshapen is left out', (act, actors) => {
    expect(actorsOf(act)).toEqual(actors);
  });

  it('is cut at a bound', () => {
    let act: Json = { sub: 'first' };
    for (let depth = 0; depth < 100; depth++) act = { sub: `actor-${depth}`, act };
    expect(actorsOf(act)).toHaveLength(8);
  });
});
