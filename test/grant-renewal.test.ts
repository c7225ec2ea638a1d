/** Tokens of people that end, at a real authorization server: renewed once, whoever asks, and never lost by a bad day. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { createMemoryGrantStore } from '../packages/gateway/src/storage/memory/memory-grant-store.ts';
import { createSqlGrantStore } from '../packages/gateway/src/storage/sql/sql-grant-store.ts';
import { SqlDatabase } from '../packages/gateway/src/storage/sql/sql-database.ts';
import { collectedLog } from '../packages/gateway/src/storage/sql/fixtures/collected-log.ts';
import { createPostgresBackend } from '../packages/gateway/src/storage/postgres/postgres-backend.ts';
import { parsePostgresUrl } from '../packages/gateway/src/storage/postgres/postgres-url.ts';
import { somebody } from '../packages/gateway/src/model/principal.fixture.ts';
import { Secret } from '../packages/gateway/src/model/secret.ts';
import type { Grant } from '../packages/gateway/src/credential/grant.ts';
import type { GrantStore } from '../packages/gateway/src/credential/grant-rows.ts';
import type { Outcome } from '../packages/gateway/src/model/outcome.ts';
import { cleanUp } from '../packages/gateway/src/upstream/testing/http-kit.ts';
import type { Cleanups } from '../packages/gateway/src/upstream/testing/http-servers.ts';
import { keyOf, newKeyRingFile, startGrantGateway, type GrantGateway } from './harness/grant-gateway.ts';
import { startGrantWorld, type GrantWorld } from './harness/grant-world.ts';
import { NO_POSTGRES, startPostgres, type TestPostgres } from './harness/postgres.ts';
import { until } from './harness/until.ts';

const STORM = 50;
const alice = keyOf('alice');

const cleanups: Cleanups = [];
let world: GrantWorld;
beforeEach(async () => {
  world = await startGrantWorld(cleanups);
}, 60_000);
afterEach(() => cleanUp(cleanups));

const open = (store: GrantStore = createMemoryGrantStore(), keyRingFile = newKeyRingFile(cleanups)): GrantGateway =>
  startGrantGateway({ world, store, keyRingFile, cleanups });

/** As a clock sees it that all agree on. */
const ended = (grant: Grant): Grant => ({ ...grant, obtainedAtMs: Date.now() - 600_000, expiresAtMs: Date.now() - 1 });

/** In the last quarter of its life. */
const ending = (grant: Grant): Grant => ({
  ...grant,
  obtainedAtMs: Date.now() - 600_000,
  expiresAtMs: Date.now() + 60_000,
});

const storm = (gateways: readonly GrantGateway[]): Promise<readonly Outcome[]> =>
  Promise.all(
    Array.from({ length: STORM }, (_, index) => {
      const gateway = gateways[index % gateways.length];
      if (gateway === undefined) throw new Error('no gateway');
      return gateway.call('alice');
    }),
  );

const kinds = (outcomes: readonly Outcome[]): Readonly<Record<string, number>> => {
  const counted: Record<string, number> = {};
  for (const outcome of outcomes) {
    const kind = outcome.kind === 'failed' ? `failed: ${outcome.failure.code}` : outcome.kind;
    counted[kind] = (counted[kind] ?? 0) + 1;
  }
  return counted;
};

const messageOf = (outcome: Outcome): string => (outcome.kind === 'failed' ? (outcome.failure.message ?? '') : '');

const operations = ({ events }: GrantGateway): readonly string[] =>
  events.flatMap((event) => (event.kind === 'change' ? [event.operation] : []));

describe(`${STORM} calls at once`, () => {
  it('on a token that has ended cause one refresh, and none of them fails', async () => {
    const gateway = open();
    await gateway.grants.vault.write(alice, ended(await world.logIn('alice')), 0);
    expect(kinds(await storm([gateway]))).toEqual({ complete: STORM });
    expect(world.asked.refreshes).toBe(1);
    expect([world.executed.length, world.refused.count]).toEqual([STORM, 0]);
    expect(await gateway.grants.vault.read(alice)).toMatchObject({ version: 2 });
    expect(operations(gateway)).toEqual(['credentials/renew']);
  });

  it('whose token the server takes no more, sooner than its issuer said, cause one refresh, and are made once each', async () => {
    const gateway = open();
    const grant = await world.logIn('alice');
    await gateway.grants.vault.write(alice, grant, 0);
    expect(kinds([await gateway.call('alice')])).toEqual({ complete: 1 });
    world.refuse(grant.accessToken);
    expect(kinds(await storm([gateway]))).toEqual({ complete: STORM });
    expect(world.asked.refreshes).toBe(1);
    expect(world.executed).toHaveLength(STORM + 1);
    expect(world.refused.count).toBeGreaterThan(0);
  });

  it('that find a refused token at the handshake cause one refresh', async () => {
    const gateway = open();
    const grant = await world.logIn('alice');
    await gateway.grants.vault.write(alice, grant, 0);
    world.refuse(grant.accessToken);
    expect(kinds(await storm([gateway]))).toEqual({ complete: STORM });
    expect(world.asked.refreshes).toBe(1);
  });
});

describe('a token that will end soon', () => {
  it('is renewed while it is used, and the calls do not wait for it', async () => {
    const gateway = open();
    const grant = await world.logIn('alice');
    await gateway.grants.vault.write(alice, ending(grant), 0);
    world.gate = 'hang';
    expect(kinds(await storm([gateway]))).toEqual({ complete: STORM });
    expect(await until('a refresh', () => world.asked.refreshes > 0 && world.asked.refreshes)).toBe(1);
    expect(await gateway.grants.vault.read(alice)).toMatchObject({ version: 1 });
  });

  it('is used until its end while its issuer is away, and once the issuer is back, renewed', async () => {
    const gateway = open();
    const grant = await world.logIn('alice');
    await gateway.grants.vault.write(alice, ending(grant), 0);
    world.gate = 'unavailable';
    await gateway.call('alice');
    await until('a failed renewal', async () => (await gateway.store.list({}, { limit: 1 })).notes[0]?.lastFailure);
    expect(kinds([await gateway.call('alice')])).toEqual({ complete: 1 });
    world.gate = 'pass';
    await until('a renewal', async () => {
      expect(kinds([await gateway.call('alice')])).toEqual({ complete: 1 });
      return (await gateway.grants.vault.read(alice))?.version === 2;
    });
  });
});

describe('an issuer on a bad day', () => {
  it.each(['unavailable', 'garbage'] as const)(
    '(%s) costs no grant: calls are refused for a while, and go on when it is over',
    async (mode) => {
      const gateway = open();
      await gateway.grants.vault.write(alice, ended(await world.logIn('alice')), 0);
      world.gate = mode;
      const outcomes = await storm([gateway]);
      expect(kinds(outcomes)).toEqual({ 'failed: server-unavailable': STORM });
      expect(outcomes.map(messageOf)[0]).toMatch(/cannot be renewed at the moment. Nothing is lost/);
      expect(world.asked.refreshes).toBe(1);
      world.gate = 'pass';
      const outcome = await until('a call that is made', async () => {
        const made = await gateway.call('alice');
        return made.kind === 'complete' && made;
      });
      expect(outcome.kind).toBe('complete');
      expect(gateway.log.join('\n')).toContain('could not be renewed; tried again');
    },
  );

  it('that refuses the refresh token sends this person to log in, and nobody else', async () => {
    const gateway = open();
    await gateway.grants.vault.write(alice, ended(await world.logIn('alice')), 0);
    await gateway.grants.vault.write(keyOf('bob'), await world.logIn('bob'), 0);
    world.gate = 'refuse';
    const outcomes = await storm([gateway]);
    expect(new Set(outcomes.map(messageOf))).toEqual(new Set(['needs login: refused']));
    expect(world.asked.refreshes).toBe(1);
    expect(kinds([await gateway.call('bob')])).toEqual({ complete: 1 });
    const [note] = (await gateway.store.list(alice, { limit: 1 })).notes;
    expect(note?.refusedAtMs).toBeTypeOf('number');
    expect(operations(gateway)).toEqual(['credentials/refuse']);
    // The person has logged in: everything is as before.
    await gateway.grants.vault.write(alice, await world.logIn('alice'), note?.version ?? 0);
    gateway.grants.broker.forget(alice);
    expect(kinds([await gateway.call('alice')])).toEqual({ complete: 1 });
  });

  it('whose new tokens the server does not take either is asked once, and the call says that it was refused', async () => {
    const gateway = open();
    const grant = await world.logIn('alice');
    await gateway.grants.vault.write(alice, grant, 0);
    await gateway.call('alice');
    world.refuse(grant.accessToken);
    await gateway.call('alice');
    const renewed = await gateway.grants.vault.read(alice);
    world.refuse(renewed?.grant.accessToken ?? new Secret(''));
    expect(kinds(await storm([gateway]))).toEqual({ 'failed: upstream-refused': STORM });
    expect(world.asked.refreshes).toBe(1);
  });
});

describe('a token without a refresh token', () => {
  it('that ended, or that its server takes no more, sends its person to log in', async () => {
    const gateway = open();
    const { refreshToken: _none, ...grant } = await world.logIn('alice');
    await gateway.grants.vault.write(alice, grant, 0);
    expect(kinds([await gateway.call('alice')])).toEqual({ complete: 1 });
    world.refuse(grant.accessToken);
    expect(messageOf(await gateway.call('alice'))).toBe('needs login: refused');
    const bob = keyOf('bob');
    await gateway.grants.vault.write(bob, ended(grant), 0);
    expect(messageOf(await gateway.call('bob'))).toBe('needs login: expired');
    expect(messageOf(await gateway.call('carol'))).toBe('needs login: none');
  });
});

describe('what is written and told', () => {
  it('holds no token: no log line, no event, no error', async () => {
    const gateway = open();
    const grant = ended(await world.logIn('alice'));
    await gateway.grants.vault.write(alice, grant, 0);
    world.gate = 'garbage';
    const outcomes = await storm([gateway]);
    world.gate = 'pass';
    await until('a renewal', async () => (await gateway.call('alice')).kind === 'complete');
    const renewed = await gateway.grants.vault.read(alice);
    const everything = JSON.stringify([gateway.log, gateway.events, outcomes]);
    for (const secret of [grant.accessToken, grant.refreshToken, renewed?.grant.accessToken]) {
      expect(everything).not.toContain(secret?.expose().slice(-30));
    }
    expect(everything).toContain('credentials/renew');
  });
});

describe.skipIf(NO_POSTGRES !== undefined)('two replicas on one PostgreSQL', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  }, 120_000);
  afterAll(() => postgres?.close(), 60_000);

  async function replicas(): Promise<readonly [GrantGateway, GrantGateway]> {
    const url = await postgres.createDatabase();
    const keyRingFile = newKeyRingFile(cleanups);
    const replica = (): GrantGateway => {
      const backend = createPostgresBackend({
        url: () => Promise.resolve(new Secret(url)),
        address: parsePostgresUrl(new Secret(url)),
        timeoutMs: 30_000,
      });
      const database = new SqlDatabase({
        backend,
        logger: collectedLog().logger,
        clockMs: () => performance.now(),
        timeoutMs: 30_000,
      });
      cleanups.push(() => database.close());
      return open(createSqlGrantStore(database), keyRingFile);
    };
    return [replica(), replica()];
  }

  it(`refresh once for ${STORM} calls at both on a token that has ended, and none of them fails`, async () => {
    const both = await replicas();
    await both[0].grants.vault.write(alice, ended(await world.logIn('alice')), 0);
    world.gateMs = 300;
    expect(kinds(await storm(both))).toEqual({ complete: STORM });
    expect(world.asked.refreshes).toBe(1);
  }, 60_000);

  it('refresh once when the server takes a token no more that both hold', async () => {
    const both = await replicas();
    const grant = await world.logIn('alice');
    await both[0].grants.vault.write(alice, grant, 0);
    expect(kinds(await Promise.all(both.map((one) => one.call('alice'))))).toEqual({ complete: 2 });
    world.refuse(grant.accessToken);
    expect(kinds(await storm(both))).toEqual({ complete: STORM });
    expect(world.asked.refreshes).toBe(1);
  }, 60_000);

  it('feel a revocation within 5 s: no call gets through, and open sessions end', async () => {
    const both = await replicas();
    await both[0].grants.vault.write(alice, await world.logIn('alice'), 0);
    expect(kinds(await Promise.all(both.map((one) => one.call('alice'))))).toEqual({ complete: 2 });
    expect(both[1].upstreams.status('tickets')?.live).toBe(1);
    const startedMs = performance.now();
    const revoked = await both[0].grants.revoke({ name: 'revokeCredentials', server: 'tickets' }, somebody('ops'));
    expect(revoked).toEqual({ ok: true, value: [{ key: alice, issuer: expect.any(String), atIssuer: 'revoked' }] });
    expect(messageOf(await both[0].call('alice'))).toBe('needs login: none');
    expect(both[0].upstreams.status('tickets')?.live).toBe(0);
    await until(
      'the other replica to refuse',
      async () => messageOf(await both[1].call('alice')) === 'needs login: none',
    );
    await until('its session to end', () => both[1].upstreams.status('tickets')?.live === 0);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(world.asked.revocations).toBe(1);
    expect(operations(both[0])).toEqual(['credentials/revoke']);
  }, 60_000);
});
