import { randomBytes } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import type { AuthenticationEvent, GatewayEvent } from '../model/event.ts';
import { Refusal } from '../model/failure.ts';
import { somebody } from '../model/principal.fixture.ts';
import { Secret } from '../model/secret.ts';
import { createApiKey } from './api-key.ts';
import { createAttempts } from './attempts.ts';
import { refused, type Refused } from './refused.ts';

const KEY = createApiKey(randomBytes).key.expose();
const attempt = {
  requestId: 'r',
  presented: { bearer: new Secret(KEY) },
  endpoint: { kind: 'aggregate' },
  address: '192.0.2.1',
} as const;

/** What the record is told of a credential that is refused. */
function told(refusal: Refused, left = 1): AuthenticationEvent {
  const events: GatewayEvent[] = [];
  const nothing = (): void => undefined;
  const attempts = createAttempts(
    { allow: () => (left > 0 ? { allowed: true } : { allowed: false, retryAfterMs: 1 }), giveBack: nothing },
    { debug: nothing, info: nothing, warn: nothing, error: nothing },
    (event) => void events.push(event),
  );
  expect(() => attempts.failed(attempt, refusal)).toThrow(Refusal);
  const [event, ...more] = events;
  expect(more).toEqual([]);
  if (event?.kind !== 'authentication') throw new Error('nothing was told');
  return event;
}

describe('a credential that is refused', () => {
  it('is told of with its code, its reason and what is harmless of it', () => {
    expect(told(refused('invalid-credential', 'api key: unknown'))).toEqual({
      kind: 'authentication',
      activity: 'verify',
      credential: 'api-key',
      claimed: { hint: KEY.slice(0, 9) },
      requestId: 'r',
      address: '192.0.2.1',
      endpoint: { kind: 'aggregate' },
      failure: { code: 'invalid-credential', reason: 'api key: unknown' },
    });
  });

  it('is told of as its owner’s only where it is proved whose it is', () => {
    const carol = somebody('carol');
    expect(told(refused('expired-credential', 'api key: expired', carol)).principal).toBe(carol);
    expect(told(refused('invalid-credential', 'api key: unknown'))).not.toHaveProperty('principal');
  });

  it('is told of without what an unverified token says: there could stand anything', () => {
    const reason = String.raw`token: unknown issuer "https://user:hunter2@x \" hunter3", not "hunter4"; "exp" is wrong`;
    expect(told(refused('invalid-credential', reason)).failure?.reason).toBe(
      'token: unknown issuer "…", not "…"; "exp" is wrong',
    );
  });

  it('beyond the limit of its address is told of once, and not read any more', () => {
    const event = told(refused('invalid-credential', 'api key: unknown'), 0);
    expect(event.failure?.code).toBe('quota-exceeded');
    expect(event).not.toHaveProperty('claimed');
  });
});
