import { randomBytes } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { Refusal } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { createMemoryApiKeyStore } from '../storage/memory/memory-api-key-store.ts';
import { apiKeyDigest, createApiKey } from './api-key.ts';
import { createApiKeyUses } from './api-key-uses.ts';
import type { NewApiKey } from './api-key-store.ts';
import { createAuthenticator } from './bearer-authenticator.ts';

const START_MS = 1_800_000_000_000;

/** A store that counts what it is asked and can be away, and an authenticator in front of it. */
function gateway(more: { readonly maxKeys?: number } = {}) {
  const memory = createMemoryApiKeyStore();
  const state = { nowMs: START_MS, asked: 0, away: false, attempts: 100, used: [] as string[], log: [] as string[] };
  const note = (_: object, message: string) => void state.log.push(message);
  const store = {
    ...memory,
    async findByHash(hash: string) {
      state.asked += 1;
      if (state.away) throw new Error('away');
      return memory.findByHash(hash);
    },
  };
  const authenticator = createAuthenticator({
    apiKeys: [],
    storedKeys: { store, noteUse: (id) => state.used.push(id), ...more },
    issuers: [],
    audiences: () => [],
    fetchJson: () => Promise.reject(new Error('nothing is fetched')),
    failedAttempts: {
      allow: () => (state.attempts-- > 0 ? { allowed: true } : { allowed: false, retryAfterMs: 1 }),
      giveBack: () => void (state.attempts += 1),
    },
    note: () => undefined,
    now: () => state.nowMs,
    log: { debug: note, info: note, warn: note, error: note },
  });
  const present = (text: string) =>
    authenticator.authenticate({
      presented: { bearer: new Secret(text) },
      endpoint: { kind: 'aggregate' },
      requestId: 'r1',
      address: '192.0.2.1',
    });
  /** The name, or the code of the refusal. */
  const outcome = async (text: string) => {
    try {
      return (await present(text)).name;
    } catch (error) {
      if (error instanceof Refusal) return error.failure.code;
      throw error;
    }
  };
  const create = async (key: Partial<NewApiKey> = {}) => {
    const text = createApiKey(randomBytes).key.expose();
    const name = key.name ?? 'alice';
    const id = `id of ${name}`;
    const rest = { tenant: 'acme', hint: text.slice(0, 9), groups: ['engineering'], createdAtMs: START_MS };
    await memory.create({ id, name, hash: apiKeyDigest(text), ...rest, ...key });
    return text;
  };
  return { state, memory, present, outcome, create };
}

describe('an API key of the store', () => {
  it('is looked up once, and is then answered at once as the same principal', async () => {
    const { state, present, create } = gateway();
    const text = await create();
    const principal = await present(text);
    expect(principal).toMatchObject({ key: '4:acme/7:api-key/alice', tenant: 'acme', groups: ['engineering'] });
    state.nowMs += 2_999;
    expect(present(text)).toBe(principal);
    expect(state).toMatchObject({ asked: 1, used: ['id of alice', 'id of alice'] });
  });

  it('in use is looked up behind the answers, so that it never waits', async () => {
    const { state, present, create } = gateway();
    const text = await create();
    const principal = await present(text);
    for (let second = 0; second < 60; second += 1) {
      state.nowMs += 1_000;
      expect(present(text)).toBe(principal);
      await new Promise(setImmediate);
    }
    expect(state.asked).toBeGreaterThan(10);
    expect(state.asked).toBeLessThan(25);
  });

  it('presented on many connections at once is looked up once', async () => {
    const { state, present, create } = gateway();
    const text = await create();
    await Promise.all(Array.from({ length: 50 }, async () => present(text)));
    expect(state.asked).toBe(1);
  });

  it.each([
    ['revoked', { revokedAtMs: START_MS }, 'invalid-credential'],
    ['expired', { expiresAtMs: START_MS }, 'expired-credential'],
  ] as const)('that was %s elsewhere is refused within five seconds, in use or not', async (_, change, code) => {
    for (const stepMs of [1_000, 5_000]) {
      const { state, memory, outcome, create } = gateway();
      const text = await create();
      expect(await outcome(text)).toBe('alice');
      await memory.change('acme', 'alice', change);
      for (let passedMs = 0; passedMs < 5_000; passedMs += stepMs) {
        state.nowMs += stepMs;
        await outcome(text);
      }
      expect(await outcome(text)).toBe(code);
    }
  });

  it('is refused at the instant at which it expires, without a question', async () => {
    const { state, outcome, create } = gateway();
    const text = await create({ expiresAtMs: START_MS + 1_000 });
    expect(await outcome(text)).toBe('alice');
    state.nowMs += 1_000;
    expect(await outcome(text)).toBe('expired-credential');
    expect(state.asked).toBe(1);
  });

  it('whose expiry or groups were changed is another principal', async () => {
    const { state, memory, present, create } = gateway();
    const text = await create();
    const before = await present(text);
    await memory.change('acme', 'alice', { expiresAtMs: START_MS + 60_000 });
    state.nowMs += 5_000;
    const after = await present(text);
    expect(after).not.toBe(before);
    expect(after.credential).toEqual({ kind: 'api-key', expiresAtMs: START_MS + 60_000 });
  });

  it('is looked up again when the clock was set back', async () => {
    const { state, memory, outcome, create } = gateway();
    const text = await create();
    expect(await outcome(text)).toBe('alice');
    await memory.change('acme', 'alice', { revokedAtMs: START_MS });
    state.nowMs -= 3_600_000;
    expect(await outcome(text)).toBe('invalid-credential');
  });
});

describe('an unknown API key', () => {
  it('costs an attempt each time, and the store one question', async () => {
    const { state, outcome } = gateway();
    const text = createApiKey(randomBytes).key.expose();
    state.attempts = 3;
    const seen = [];
    for (let times = 0; times < 4; times += 1) seen.push(await outcome(text));
    expect(seen).toEqual([...Array(3).fill('invalid-credential'), 'quota-exceeded']);
    expect(state.asked).toBe(1);
  });

  it('that is mistyped is not looked up', async () => {
    const { state, outcome } = gateway();
    expect(await outcome('sp_short')).toBe('invalid-credential');
    expect(state.asked).toBe(0);
  });

  it('does not reach the store when its address has no attempt left; a good one of before does', async () => {
    const { state, outcome, create } = gateway();
    const text = await create();
    expect(await outcome(text)).toBe('alice');
    state.attempts = 0;
    state.nowMs += 60_000;
    expect(await outcome(createApiKey(randomBytes).key.expose())).toBe('quota-exceeded');
    expect(state.asked).toBe(1);
    expect(await outcome(text)).toBe('alice');
  });

  it('leaves no trace beyond a bound', async () => {
    const { state, outcome } = gateway();
    state.attempts = 10_000;
    const first = createApiKey(randomBytes).key.expose();
    await outcome(first);
    for (let times = 0; times < 1_000; times += 1) await outcome(createApiKey(randomBytes).key.expose());
    await outcome(first);
    expect(state.asked).toBe(1_002);
  });
});

describe('while the store is away', () => {
  it('a key that was good is believed for five minutes since it was last seen, an unknown one gets a 503', async () => {
    const { state, outcome, create } = gateway();
    const text = await create();
    expect(await outcome(text)).toBe('alice');
    state.away = true;
    const stranger = createApiKey(randomBytes).key.expose();
    state.attempts = 1;
    for (let passedMs = 0; passedMs < 299_000; passedMs += 1_000) {
      state.nowMs += 1_000;
      expect(await outcome(text)).toBe('alice');
      expect(await outcome(stranger)).toBe('identity-unavailable');
    }
    state.nowMs += 1_000;
    expect(await outcome(text)).toBe('identity-unavailable');
    expect(state.attempts).toBe(1);
    expect(state.log.filter((line) => line.includes('cannot be looked up'))).toHaveLength(1);
  });

  it('is not asked for each call, and not waited for', async () => {
    const { state, present, outcome, create } = gateway();
    const text = await create();
    const principal = await present(text);
    state.away = true;
    state.nowMs += 5_000;
    expect(await outcome(text)).toBe('alice');
    const asked = state.asked;
    for (let times = 0; times < 1_000; times += 1) expect(present(text)).toBe(principal);
    expect(state.asked).toBe(asked);
    for (let times = 0; times < 100; times += 1) {
      state.nowMs += 100;
      expect(present(text)).toBe(principal);
      await new Promise(setImmediate);
    }
    expect(state.asked - asked).toBeLessThan(50);
  });

  it('a key that had expired stays so, and one that expires meanwhile does', async () => {
    const { state, outcome, create } = gateway();
    const text = await create({ expiresAtMs: START_MS + 60_000 });
    expect(await outcome(text)).toBe('alice');
    state.away = true;
    state.nowMs += 60_000;
    expect(await outcome(text)).toBe('expired-credential');
  });

  it('a revocation waits for its return, and for no more than two seconds longer', async () => {
    const { state, memory, outcome, create } = gateway();
    const text = await create();
    await outcome(text);
    state.away = true;
    state.nowMs += 60_000;
    expect(await outcome(text)).toBe('alice');
    await memory.change('acme', 'alice', { revokedAtMs: START_MS });
    state.away = false;
    state.nowMs += 2_000;
    expect(await outcome(text)).toBe('invalid-credential');
    expect(state.log).toContain('API keys can be looked up again');
  });
});

describe('the last uses of keys', () => {
  function uses() {
    const written: (readonly { id: string; usedAtMs: number }[])[] = [];
    const state = { nowMs: 0, away: false, tasks: [] as { atMs: number; task: () => void }[] };
    const made = createApiKeyUses({
      store: {
        async noteUses(noted) {
          if (state.away) throw new Error('away');
          written.push(noted);
        },
      },
      log: { debug() {}, info() {}, warn() {}, error() {} },
      clockMs: () => state.nowMs,
      after: (delayMs, task) => {
        const entry = { atMs: state.nowMs + delayMs, task };
        state.tasks.push(entry);
        return () => void state.tasks.splice(state.tasks.indexOf(entry), 1);
      },
      maxKeys: 3,
    });
    const pass = async (ms: number) => {
      state.nowMs += ms;
      for (const { task } of state.tasks.splice(0).filter(({ atMs }) => atMs <= state.nowMs)) task();
      await new Promise(setImmediate);
    };
    return { state, written, pass, made };
  }

  it('are written together, soon at first and then once a minute', async () => {
    const { made, written, pass } = uses();
    for (let call = 0; call < 100; call += 1) made.note(call % 2 === 0 ? 'a' : 'b', call);
    await pass(1_000);
    expect(written).toEqual([
      [
        { id: 'a', usedAtMs: 98 },
        { id: 'b', usedAtMs: 99 },
      ],
    ]);
    made.note('a', 200);
    expect(written).toHaveLength(1);
    await pass(60_000);
    expect(written[1]).toEqual([{ id: 'a', usedAtMs: 200 }]);
  });

  it('are written when it closes, and kept for later while the store is away', async () => {
    const { state, made, written, pass } = uses();
    made.note('a', 1);
    state.away = true;
    await pass(1_000);
    state.away = false;
    made.note('b', 2);
    await made.close();
    expect(
      written
        .flat()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(['a', 'b']);
  });

  it('are not kept beyond a bound', async () => {
    const { made, written } = uses();
    for (const id of ['a', 'b', 'c', 'd']) made.note(id, 1);
    await made.close();
    expect(written.flat()).toHaveLength(3);
  });
});
