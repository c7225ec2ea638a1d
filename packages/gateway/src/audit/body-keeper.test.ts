import { randomBytes } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import type { EncodedBody } from '../model/redaction.ts';
import { createBodyKeeper, type BodyKeeperOptions } from './body-keeper.ts';
import type { BodiesWord, TakenBodies } from './bodies.ts';
import type { StoredBody } from './body-store.ts';
import { commitmentOf } from './commitment.ts';
import { alice, tool } from './testing.ts';

const WRITE = tool('write', false);
const taken = (requestId: string, more: Partial<TakenBodies> = {}): TakenBodies => ({
  requestId,
  endpoint: { kind: 'server', server: 'files' },
  tool: WRITE,
  principal: alice,
  arguments: { path: 'a.txt' },
  ...more,
});

/** Time passes when nothing else happens, from one task to the next. */
function virtualTime(state: { nowMs: number }): BodyKeeperOptions['after'] {
  const tasks: { atMs: number; task: () => void }[] = [];
  const next = (): void => {
    const first = tasks.toSorted((one, other) => one.atMs - other.atMs)[0];
    if (first === undefined) return;
    tasks.splice(tasks.indexOf(first), 1);
    state.nowMs = Math.max(state.nowMs, first.atMs);
    first.task();
  };
  return (delayMs, task) => {
    const own = { atMs: state.nowMs + delayMs, task };
    tasks.push(own);
    setImmediate(() => setImmediate(next));
    return () => void (tasks.includes(own) && tasks.splice(tasks.indexOf(own), 1));
  };
}

/** A store that fails as often as it is told to. */
function world(more: Partial<BodyKeeperOptions> = {}) {
  const state = { nowMs: 0, failures: 0, puts: 0 };
  const words: BodiesWord[] = [];
  const stored: StoredBody[] = [];
  const log: string[] = [];
  const line = (_: object, message: string): void => void log.push(message);
  const answer: { body: EncodedBody } = { body: { kind: 'redacted', text: '{"a":1}', rules: ['named'], cut: false } };
  const keeper = createBodyKeeper({
    tools: ['files/w*'],
    arguments: true,
    results: true,
    maxBytes: 1_000,
    keepMs: 5_000,
    redactor: { encoded: () => Promise.resolve(answer.body) },
    store: {
      async put(bodies) {
        state.puts += 1;
        if (state.failures-- > 0) throw new Error('the disk is full');
        stored.push(...bodies);
      },
      get: async () => undefined,
      list: async () => [],
      erase: async () => 0,
      deleteExpired: async () => false,
    },
    record: { kept: (word) => void words.push(word) },
    instruments: { bodies: () => undefined },
    logger: { debug: line, info: line, warn: line, error: line },
    now: () => state.nowMs,
    randomBytes,
    after: virtualTime(state),
    ...more,
  });
  return { state, words, stored, log, answer, keeper };
}

describe('bodies that are kept', () => {
  it('are those of the tools that are named', () => {
    const { keeper } = world();
    expect(keeper.wants(WRITE)).toEqual({ resultBytes: 1_000 });
    expect(keeper.wants(tool('read', true))).toBeUndefined();
    expect(world({ results: false }).keeper.wants(WRITE)).toEqual({ resultBytes: 0 });
  });

  it('are stored first and recorded then, with a commitment to exactly what is stored', async () => {
    const { keeper, words, stored } = world();
    keeper.keep(taken('r1', { result: { value: {} } }));
    await keeper.close();
    const [body] = stored;
    if (body === undefined) throw new Error('nothing stored');
    expect(body).toMatchObject({
      requestId: 'r1',
      subject: 'alice',
      expiresAtMs: 5_000,
      content: '{"arguments":{"a":1},"result":{"a":1}}',
    });
    expect(body.salt).toMatch(/^[0-9a-f]{32}$/);
    expect(words).toMatchObject([
      { state: 'stored', commitment: commitmentOf(body), arguments: { bytes: 7, cut: false, rules: ['named'] } },
    ]);
    expect(commitmentOf({ ...body, salt: '00'.repeat(16) })).not.toBe(commitmentOf(body));
  });

  it('are stored in batches, in their order', async () => {
    const { keeper, state, stored } = world();
    for (let index = 0; index < 40; index += 1) keeper.keep(taken(`r${index}`));
    await keeper.close();
    expect(stored.map(({ requestId }) => requestId)).toEqual(Array.from({ length: 40 }, (_, index) => `r${index}`));
    expect(state.puts).toBeLessThan(6);
  });

  it('wait for a store that fails, with one alarm', async () => {
    const { keeper, state, words, log } = world();
    state.failures = 3;
    for (const id of ['r1', 'r2']) keeper.keep(taken(id));
    await keeper.close(60_000);
    expect(words.map(({ state: said }) => said)).toEqual(['stored', 'stored']);
    expect(log).toHaveLength(1);
  });

  it('are recorded as lost, each with an alarm, when the store fails for too long', async () => {
    const { keeper, state, words, log } = world({ giveUpMs: 1_000, retryMs: 600 });
    state.failures = 100;
    keeper.keep(taken('r1'));
    await keeper.close(60_000);
    expect(words).toMatchObject([{ requestId: 'r1', state: 'lost', because: 'the storage failed' }]);
    expect(log).toHaveLength(2);
  });

  it('are recorded as lost when the gateway stops before they are stored', async () => {
    const { keeper, words } = world({
      store: {
        put: () => new Promise(() => undefined),
        get: async () => undefined,
        list: async () => [],
        erase: async () => 0,
        deleteExpired: async () => false,
      },
    });
    keeper.keep(taken('r1'));
    await keeper.close(10);
    expect(words).toMatchObject([{ state: 'lost', because: 'the gateway was stopped' }]);
  });

  it('are withheld, which is recorded, when they cannot be redacted, when nothing may be kept, and when too many are on their way', async () => {
    const { keeper, answer, words, stored } = world({ maxPending: 1 });
    answer.body = { kind: 'withheld', because: 'overrun' };
    keeper.keep(taken('r1'));
    keeper.keep(taken('r2'));
    await keeper.close();
    expect(stored).toEqual([]);
    expect(words.toSorted((a, b) => (a.requestId < b.requestId ? -1 : 1))).toMatchObject([
      { requestId: 'r1', state: 'withheld', arguments: { withheld: 'overrun' } },
      { requestId: 'r2', state: 'withheld', because: 'overloaded' },
    ]);
  });
});
