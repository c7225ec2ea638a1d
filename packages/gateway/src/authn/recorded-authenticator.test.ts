import { describe, expect, it } from 'vitest';

import type { GatewayEvent } from '../model/event.ts';
import { refuse } from '../model/failure.ts';
import { somebody } from '../model/principal.fixture.ts';
import type { Principal } from '../model/principal.ts';
import { withAuthenticationEvents } from './recorded-authenticator.ts';

const HOUR_MS = 3_600_000;
const attempt = { requestId: 'r', presented: {}, endpoint: { kind: 'aggregate' }, address: '192.0.2.1' } as const;

function world() {
  const clock = { nowMs: 1_000 };
  const events: GatewayEvent[] = [];
  const state: { answer: () => Principal | Promise<Principal> } = { answer: () => somebody('alice') };
  const authenticator = withAuthenticationEvents(
    { authenticate: () => state.answer() },
    { note: (event) => void events.push(event), now: () => clock.nowMs },
  );
  return { clock, events, state, present: () => authenticator.authenticate(attempt) };
}

describe('a credential that is verified', () => {
  it('is told of when it is first seen; an API key again when it is still in use an hour later', async () => {
    const { clock, events, state, present } = world();
    const alice = somebody('alice');
    state.answer = () => alice;
    for (let index = 0; index < 100; index++) await present();
    expect(events).toEqual([
      {
        kind: 'authentication',
        activity: 'verify',
        credential: alice.credential.kind,
        principal: alice,
        requestId: 'r',
        address: '192.0.2.1',
        endpoint: { kind: 'aggregate' },
      },
    ]);
    clock.nowMs += HOUR_MS;
    await present();
    await present();
    expect(events).toHaveLength(2);
  });

  it('is the same when it was verified anew, and another one of the same user is not', async () => {
    const { events, state, present } = world();
    const token = (jti: string): Principal =>
      somebody('carol', { credential: { kind: 'jwt', expiresAtMs: 9_000_000 }, claims: { jti } });
    for (const jti of ['one', 'one', 'two', 'one', 'two']) {
      state.answer = () => token(jti);
      await present();
    }
    expect(events).toHaveLength(2);
  });

  it('is told of once in its life when it is a token', async () => {
    const { clock, events, state, present } = world();
    const carol = somebody('carol', { credential: { kind: 'jwt', expiresAtMs: 3 * HOUR_MS } });
    state.answer = () => carol;
    await present();
    clock.nowMs = 3 * HOUR_MS - 1;
    await present();
    expect(events).toHaveLength(1);
  });

  it('is told of when the answer comes later, too', async () => {
    const { events, state, present } = world();
    state.answer = () => Promise.resolve(somebody('alice'));
    expect(await present()).toMatchObject({ name: 'alice' });
    expect(events).toHaveLength(1);
  });

  it('is not told of when it is the session of a browser, whose log-in was', async () => {
    const { events, state, present } = world();
    state.answer = () => somebody('alice', { credential: { kind: 'browser' } });
    await present();
    expect(events).toEqual([]);
  });

  it('that is refused in the end is no success', async () => {
    const { events, state, present } = world();
    state.answer = () => Promise.reject(refuse('invalid-credential'));
    await expect(present()).rejects.toThrow(/not valid here/u);
    expect(events).toEqual([]);
  });
});
