import { describe, expect, it } from 'vitest';

import { Secret } from '../model/secret.ts';
import { collectedLog } from '../storage/sql/fixtures/collected-log.ts';
import { createSecretResolver, type SecretResolver } from './secret-resolver.ts';
import { UnresolvedReferenceError, type Lease, type SecretStore } from './secret-store.ts';

const SOURCE = { kind: 'vault', reference: 'secret/data/x#token', prefix: 'Bearer ' } as const;
const OTHER_FIELD = { kind: 'vault', reference: 'secret/data/x#user', prefix: '' } as const;

type World = {
  readonly resolver: SecretResolver;
  readonly lines: string[];
  /** What the store was asked. */
  readonly asked: string[];
  /** Lets time pass, timers included. */
  pass(ms: number): Promise<void>;
  say(answer: Partial<Lease> | Error): void;
};

function world(first: Partial<Lease> = {}): World {
  let nowMs = 0;
  let answer: Partial<Lease> | Error = first;
  const timers = new Set<{ readonly atMs: number; readonly task: () => void }>();
  const asked: string[] = [];
  const answered = (how: string): Promise<Lease> => {
    asked.push(how);
    if (answer instanceof Error) return Promise.reject(answer);
    const value = { token: new Secret('first'), user: new Secret('u') };
    return Promise.resolve({ value, checkAfterMs: 10_000, lastsMs: 60_000, ...answer });
  };
  const store: SecretStore = {
    read: () => answered('read'),
    renew: () => answered('renew'),
    close: () => Promise.resolve(),
  };
  const { logger, lines } = collectedLog();
  const resolver = createSecretResolver({
    env: {},
    logger,
    clockMs: () => nowMs,
    random: () => 0,
    after(delayMs, task) {
      const timer = { atMs: nowMs + delayMs, task };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    stores: { vault: store },
  });
  const pass = async (ms: number): Promise<void> => {
    const untilMs = nowMs + ms;
    for (;;) {
      const [next] = [...timers].filter(({ atMs }) => atMs <= untilMs).toSorted((one, other) => one.atMs - other.atMs);
      if (next === undefined) break;
      timers.delete(next);
      nowMs = next.atMs;
      next.task();
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    }
    nowMs = untilMs;
  };
  return { resolver, lines, asked, pass, say: (next) => void (answer = next) };
}

const values = (token: string): Lease['value'] => ({ token: new Secret(token), user: new Secret('u') });
const away = new UnresolvedReferenceError('vault:secret/data/x: it does not answer.', { fault: 'away' });

describe('a secret with a lease', () => {
  it('is read once for all who refer to its place at the same time, whichever field they want', async () => {
    const { resolver, asked } = world();
    const all = await Promise.all([SOURCE, OTHER_FIELD, SOURCE].map((source) => resolver.resolve(source)));
    expect([all, asked]).toEqual([['Bearer first', 'u', 'Bearer first'], ['read']]);
  });

  it('is looked at before its end without anybody asking', async () => {
    const { resolver, asked, pass, say } = world();
    await resolver.resolve(SOURCE);
    say({ value: values('second') });
    await pass(10_000);
    expect(asked).toEqual(['read', 'renew']);
    expect(await resolver.resolve(SOURCE)).toBe('Bearer second');
    expect(asked).toHaveLength(2);
  });

  it('serves while its store is away, until it ends, and says so once', async () => {
    const { resolver, pass, say, lines } = world();
    await resolver.resolve(SOURCE);
    say(away);
    for (let second = 0; second < 59; second += 1) {
      await pass(1000);
      expect(await resolver.resolve(SOURCE)).toBe('Bearer first');
    }
    expect(lines.filter((line) => line.includes('stays in use for at most 50 s more'))).toHaveLength(1);
    expect(resolver.away('vault')).toContain('does not answer');
    await pass(1000);
    await expect(resolver.resolve(SOURCE)).rejects.toThrow('it does not answer');
    say({ value: values('third') });
    await pass(30_000);
    expect(await resolver.resolve(SOURCE)).toBe('Bearer third');
    expect(resolver.away('vault')).toBeUndefined();
  });

  it('that cannot be had does not ask its store for every call', async () => {
    const { resolver, asked, pass, say } = world();
    say(away);
    for (let call = 0; call < 50; call += 1) await resolver.resolve(SOURCE).catch(() => undefined);
    expect(asked).toHaveLength(1);
    await pass(1000);
    await resolver.resolve(SOURCE).catch(() => undefined);
    expect(asked).toHaveLength(2);
  });

  it('is not used any longer when its store says that it is gone', async () => {
    const { resolver, pass, say } = world();
    await resolver.resolve(SOURCE);
    say(new UnresolvedReferenceError('There is nothing at that path.', { fault: 'gone' }));
    await pass(10_000);
    await expect(resolver.resolve(SOURCE)).rejects.toThrow('nothing at that path');
  });

  it('is read anew after a refusal, once for all, and not again at once', async () => {
    const { resolver, asked, pass, say } = world();
    await resolver.resolve(SOURCE);
    say({ value: values('second') });
    await Promise.all(Array.from({ length: 50 }, () => resolver.reread(SOURCE)));
    expect([await resolver.resolve(SOURCE), asked]).toEqual(['Bearer second', ['read', 'read']]);
    await resolver.reread(SOURCE);
    expect(asked).toHaveLength(2);
    await pass(5000);
    await resolver.reread(SOURCE);
    expect(asked).toHaveLength(3);
  });

  it('names the field that was meant', async () => {
    const { resolver } = world();
    const source = { kind: 'vault', reference: 'secret/data/x#tokn', prefix: '' } as const;
    await expect(resolver.resolve(source)).rejects.toThrow('Did you mean #token?');
  });

  it('tells of its own end, and not of a value that is only trusted for a while', async () => {
    const { resolver, say, pass } = world();
    await resolver.resolve(SOURCE);
    expect(resolver.leases()).toEqual([]);
    say({ ends: true });
    await pass(10_000);
    expect(resolver.leases()).toMatchObject([{ name: 'vault:secret/data/x', leftMs: 60_000 }]);
  });

  it('shows a failure of its store that nobody foresaw without its words, which may quote anything', async () => {
    const { resolver, say } = world();
    say(new TypeError('cannot parse sk-live-4f9c2e7a'));
    await expect(resolver.resolve(SOURCE)).rejects.toThrow(
      /^vault:secret\/data\/x cannot be read: its store failed\.$/,
    );
  });
});
