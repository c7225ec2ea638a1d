import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Refusal } from '../model/failure.ts';
import { somebody } from '../model/principal.fixture.ts';
import { createPersonSecrets, type PersonSecrets, type PersonSecretsOptions } from './person-secrets.ts';
import { createSecretResolver } from './secret-resolver.ts';
import { UnresolvedReferenceError } from './secret-store.ts';

const never = new AbortController().signal;
const alice = somebody('alice');
const bob = somebody('bob');
const SYSTEM = somebody('sallyport', { kind: 'system' });

let folder = '';
let nowMs = 0;
let opened = 0;
let closed = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-people-'));
  nowMs = 1000;
  opened = closed = 0;
});

afterEach(() => rm(folder, { recursive: true }));

function secretsOf(options: Partial<PersonSecretsOptions> = {}): PersonSecrets {
  const ignore = (): void => undefined;
  const clockMs = (): number => nowMs;
  const logger = { debug: ignore, info: ignore, error: ignore, warn: ignore };
  const resolver = createSecretResolver({ env: {}, logger, clockMs });
  return createPersonSecrets({
    server: 'crm',
    placesOf: ({ name }) => ({
      headers: { Authorization: { kind: 'file', path: join(folder, name), prefix: 'Bearer ' } },
      env: {},
    }),
    lists: { headers: {}, env: {} },
    resolver,
    apart() {
      opened += 1;
      const own = resolver.apart();
      return {
        ...own,
        close() {
          closed += 1;
          return own.close();
        },
      };
    },
    clockMs,
    now: clockMs,
    ...options,
  });
}

const write = (name: string, value: string): Promise<void> => writeFile(join(folder, name), value);
const tokenOf = async (secrets: PersonSecrets, who = alice): Promise<string | undefined> =>
  (await secrets.obtain(who, never)).headers['Authorization']?.expose();

const refusedFor = async (secrets: PersonSecrets, who = alice): Promise<Refusal> => {
  const error: unknown = await Promise.resolve(secrets.obtain(who, never)).catch((cause: unknown) => cause);
  if (!(error instanceof Refusal)) throw new Error('it was not refused');
  return error;
};

describe('secrets of people', () => {
  it('are each person’s own, with a version of its own even where the values are the same', async () => {
    const secrets = secretsOf();
    await write('alice', 'same');
    await write('bob', 'same');
    const [hers, his] = [await secrets.obtain(alice, never), await secrets.obtain(bob, never)];
    expect(hers.headers['Authorization']?.expose()).toBe('Bearer same');
    expect(hers.version).not.toBe(his.version);
    expect(hers.kind).toBe('principal');
    expect(await secrets.obtain(alice, never)).toBe(hers);
  });

  it('refuse the person alone for whom there is none, and name the place', async () => {
    const secrets = secretsOf();
    await write('bob', 'token');
    const { failure, message } = await refusedFor(secrets);
    expect(failure.code).toBe('needs-login');
    expect(message).toContain(`file:${join(folder, 'alice')} does not exist`);
    expect(await tokenOf(secrets, bob)).toBe('Bearer token');
  });

  it('say that the server cannot be reached when the store is away', async () => {
    const away = (): never => {
      throw new UnresolvedReferenceError('vault:x cannot be asked.', { fault: 'away' });
    };
    const resolver = { resolve: away, reread: () => Promise.resolve(), state: () => undefined };
    const apart = () => ({ ...resolver, leases: () => [], away: () => undefined, close: () => Promise.resolve() });
    expect((await refusedFor(secretsOf({ apart }))).failure.code).toBe('server-unavailable');
  });

  it('are read again when the server refuses them', async () => {
    const secrets = secretsOf();
    await write('alice', 'first');
    const first = await secrets.obtain(alice, never);
    expect(await secrets.replace(first, alice, never)).toBe(false);
    await write('alice', 'second-one');
    nowMs += 5_000;
    expect(await secrets.replace(first, alice, never)).toBe(true);
    expect(await tokenOf(secrets)).toBe('Bearer second-one');
  });

  it('are held for so many people, and what is longest unused goes', async () => {
    const secrets = secretsOf({ maxPeople: 2 });
    for (const name of ['alice', 'bob', 'carol']) await write(name, name);
    const first = await secrets.obtain(alice, never);
    await secrets.obtain(bob, never);
    await secrets.obtain(somebody('carol'), never);
    expect([opened, closed]).toEqual([3, 1]);
    const again = await secrets.obtain(alice, never);
    expect(again.version).not.toBe(first.version);
  });

  it('are forgotten when nobody used them for a while', async () => {
    const secrets = secretsOf({ idleMs: 60_000 });
    await write('alice', 'a');
    await write('bob', 'b');
    await secrets.obtain(alice, never);
    nowMs += 60_000;
    await secrets.obtain(bob, never);
    expect(closed).toBe(1);
    expect((await secrets.report(undefined)).map(({ owner }) => owner)).toEqual(['bob']);
  });

  it('are listed with their owner and tenant, and without a value', async () => {
    const secrets = secretsOf();
    await write('alice', 'sk-live-99');
    await secrets.obtain(alice, never);
    const rows = await secrets.report(undefined);
    expect(rows).toMatchObject([
      { owner: 'alice', tenant: 'default', server: 'crm', kind: 'principal', state: 'good' },
    ]);
    expect(JSON.stringify(rows)).not.toContain('sk-live-99');
  });

  it('are not for the gateway’s own errands', async () => {
    const secrets = secretsOf();
    await write('sallyport', 'token-of-a-person-of-that-name');
    expect((await secrets.obtain(SYSTEM, never)).headers).toEqual({});
  });
});
