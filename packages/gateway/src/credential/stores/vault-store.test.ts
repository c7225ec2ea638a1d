/** On a real OpenBao, with real leases of a real PostgreSQL; what it cannot be made to do is done by a server of the test. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { NO_OPENBAO, startOpenBao, type TestOpenBao } from '../../../../../test/harness/openbao.ts';
import { NO_POSTGRES, startPostgres, type TestPostgres } from '../../../../../test/harness/postgres.ts';
import { until } from '../../../../../test/harness/until.ts';
import { createEgress } from '../../egress/egress.ts';
import { Secret } from '../../model/secret.ts';
import { collectedLog } from '../../storage/sql/fixtures/collected-log.ts';
import type { Lease, SecretStore } from '../secret-store.ts';
import { createTransitKey, transitVersion } from './transit-key.ts';
import type { VaultAuth } from './vault-auth.ts';
import { createVaultClient, type VaultClient } from './vault-client.ts';
import { createVaultStore } from './vault-store.ts';

const signal = new AbortController().signal;
const value = (lease: Lease, field: string): string | undefined =>
  lease.value instanceof Secret ? undefined : lease.value[field]?.expose();

describe.skipIf(NO_OPENBAO !== undefined)('references to an OpenBao', () => {
  let bao: TestOpenBao;
  const egress = createEgress();
  const clients: VaultClient[] = [];

  beforeAll(async () => {
    bao = await startOpenBao();
    await bao.ask('POST', 'sys/policies/acl/reader', {
      policy: 'path "secret/*" { capabilities = ["read"] } path "database/*" { capabilities = ["read"] }',
    });
    await bao.ask('POST', 'sys/auth/approle', { type: 'approle' });
  }, 90_000);

  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await egress.close();
    await bao?.close();
  });

  const clientFor = (auth: VaultAuth, timeoutMs = 5000): VaultClient => {
    const { logger } = collectedLog();
    const client = createVaultClient({
      address: bao.url,
      auth,
      timeoutMs,
      egress,
      logger,
      clockMs: () => performance.now(),
    });
    clients.push(client);
    return client;
  };
  const root = (): VaultAuth => ({ method: 'token', token: () => Promise.resolve(bao.rootToken) });
  const storeFor = (auth: VaultAuth, timeoutMs?: number): SecretStore =>
    createVaultStore({ client: clientFor(auth, timeoutMs), cacheMs: 30_000, keepMs: 3_600_000 });

  /** A role whose tokens live for so many seconds. */
  const appRole = async (name: string, tokenSeconds: number): Promise<VaultAuth> => {
    const settings = { token_policies: ['reader'], token_ttl: tokenSeconds, token_max_ttl: tokenSeconds };
    await bao.ask('POST', `auth/approle/role/${name}`, settings);
    const { role_id: roleId } = await bao.ask('GET', `auth/approle/role/${name}/role-id`);
    const { secret_id: secretId } = await bao.ask('POST', `auth/approle/role/${name}/secret-id`, {});
    return {
      method: 'approle',
      mount: 'approle',
      roleId: () => Promise.resolve(String(roleId)),
      secretId: () => Promise.resolve(String(secretId)),
    };
  };

  it('lead to the newest version of a KV secret, which names its version', async () => {
    await bao.ask('POST', 'secret/data/kv', { data: { token: 'one', port: 5432 } });
    const store = storeFor(root());
    const first = await store.read('secret/data/kv', signal);
    expect([value(first, 'token'), value(first, 'port'), first.version, first.ends]).toEqual([
      'one',
      '5432',
      'v1',
      undefined,
    ]);
    await bao.ask('POST', 'secret/data/kv', { data: { token: 'two' } });
    const second = await store.renew('secret/data/kv', first, signal);
    expect([value(second, 'token'), second.version]).toEqual(['two', 'v2']);
  });

  it('say what to do when there is nothing, and that it is gone', async () => {
    const store = storeFor(root());
    await expect(store.read('secret/data/none', signal)).rejects.toMatchObject({
      message: expect.stringContaining('Write it, or correct the path'),
      fault: 'gone',
    });
    await expect(store.read('secret/none', signal)).rejects.toThrow(/"data" behind the mount/);
  });

  it('are read after a log-in with AppRole, and after another one when the token has ended', async () => {
    await bao.ask('POST', 'secret/data/role', { data: { token: 'mine' } });
    const store = storeFor(await appRole('short', 2));
    expect(value(await store.read('secret/data/role', signal), 'token')).toBe('mine');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(value(await store.read('secret/data/role', signal), 'token')).toBe('mine');
  });

  it('are read with a new token when the old one was revoked', async () => {
    await bao.ask('POST', 'secret/data/revoked', { data: { token: 'mine' } });
    const store = storeFor(await appRole('revoked', 600));
    await store.read('secret/data/revoked', signal);
    const { keys } = await bao.ask('GET', 'auth/token/accessors?list=true');
    for (const accessor of keys as string[]) {
      const { display_name: name } = await bao.ask('POST', 'auth/token/lookup-accessor', { accessor });
      if (name === 'approle') await bao.ask('POST', 'auth/token/revoke-accessor', { accessor });
    }
    expect(value(await store.read('secret/data/revoked', signal), 'token')).toBe('mine');
  });

  it('are refused in words that name the policy, where the role may not read', async () => {
    const store = storeFor(await appRole('poor', 600));
    await expect(store.read('sys/mounts', signal)).rejects.toMatchObject({
      message: expect.stringContaining('Give the policy of its role the right'),
      fault: undefined,
    });
  });

  it('fail within their time while it is frozen, and lead somewhere again afterwards', async () => {
    await bao.ask('POST', 'secret/data/frozen', { data: { token: 'mine' } });
    const store = storeFor(root(), 400);
    await store.read('secret/data/frozen', signal);
    bao.freeze();
    try {
      // A signal takes a moment to stop all threads of a busy process.
      const failed = await until('OpenBao to stand still', () =>
        store.read('secret/data/frozen', signal).then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
      expect(failed).toMatchObject({
        message: expect.stringMatching(/did not answer within 400 ms.*It is tried again/),
        fault: 'away',
      });
    } finally {
      bao.thaw();
    }
    expect(value(await store.read('secret/data/frozen', signal), 'token')).toBe('mine');
  });

  it('never show a token or a value in what they say', async () => {
    const store = storeFor({ method: 'token', token: () => Promise.resolve('s.wrongtokenofatest') });
    const error: unknown = await store.read('secret/data/kv', signal).catch((reason: unknown) => reason);
    expect(JSON.stringify(error) + String(error)).not.toContain('s.wrongtokenofatest');
  });

  it('to a transit key encrypt a data key, and decrypt it after the key was rotated', async () => {
    await bao.ask('POST', 'sys/mounts/transit', { type: 'transit' });
    await bao.ask('POST', 'transit/keys/grants', {});
    const key = createTransitKey({ client: clientFor(root()), mount: 'transit', key: 'grants' });
    const wrapped = await key.encrypt(Buffer.from('0123456789abcdef'), signal);
    expect([await key.latestVersion(signal), transitVersion(wrapped)]).toEqual([1, 1]);
    await bao.ask('POST', 'transit/keys/grants/rotate', {});
    expect(await key.latestVersion(signal)).toBe(2);
    expect(Buffer.from(await key.decrypt(wrapped, signal)).toString()).toBe('0123456789abcdef');
    await expect(key.decrypt('vault:v1:AAAA', signal)).rejects.toThrow('status 400');
  });

  it('log in with a token of a JWT issuer', async () => {
    const { generateKeyPairSync, sign } = await import('node:crypto');
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await bao.ask('POST', 'sys/auth/jwt', { type: 'jwt' });
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    await bao.ask('POST', 'auth/jwt/config', { jwt_validation_pubkeys: [pem] });
    const settings = { role_type: 'jwt', user_claim: 'sub', bound_subject: 'gateway', token_policies: ['reader'] };
    await bao.ask('POST', 'auth/jwt/role/gw', settings);
    const part = (of: unknown): string => Buffer.from(JSON.stringify(of)).toString('base64url');
    const signed = `${part({ alg: 'RS256' })}.${part({ sub: 'gateway', exp: Math.floor(Date.now() / 1000) + 60 })}`;
    const jwt = `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
    await bao.ask('POST', 'secret/data/jwt', { data: { token: 'mine' } });
    const store = storeFor({ method: 'jwt', mount: 'jwt', role: 'gw', jwt: () => Promise.resolve(jwt) });
    expect(value(await store.read('secret/data/jwt', signal), 'token')).toBe('mine');
  });

  describe.skipIf(NO_POSTGRES !== undefined)('that are made for us', () => {
    let postgres: TestPostgres;

    beforeAll(async () => {
      postgres = await startPostgres();
      const url = await postgres.createDatabase();
      await bao.ask('POST', 'sys/mounts/database', { type: 'database' });
      await bao.ask('POST', 'database/config/pg', {
        plugin_name: 'postgresql-database-plugin',
        allowed_roles: '*',
        connection_url: `${url}?sslmode=disable`,
      });
      await bao.ask('POST', 'database/roles/app', {
        db_name: 'pg',
        creation_statements: [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`],
        default_ttl: '4s',
        max_ttl: '8s',
      });
    }, 90_000);
    afterAll(() => postgres?.close());

    it('have a user and a password of one lease, which is renewed as long as it may be and then replaced', async () => {
      const store = storeFor(await appRole('maker', 600));
      let lease = await store.read('database/creds/app', signal);
      const user = value(lease, 'username');
      expect([typeof user, typeof value(lease, 'password'), lease.lastsMs, lease.ends]).toEqual([
        'string',
        'string',
        4000,
        true,
      ]);
      let renewals = 0;
      const startedMs = performance.now();
      while (value(lease, 'username') === user && performance.now() - startedMs < 10_000) {
        await new Promise((resolve) => setTimeout(resolve, lease.checkAfterMs));
        lease = await store.renew('database/creds/app', lease, signal);
        renewals += 1;
      }
      expect(value(lease, 'username')).not.toBe(user);
      // Before the longest life of the first ended: both were good for a while.
      expect(performance.now() - startedMs).toBeLessThan(8000);
      expect(renewals).toBeGreaterThan(1);
    }, 20_000);

    it('end with the gateway', async () => {
      const store = storeFor(await appRole('leaver', 600));
      await store.read('database/creds/app', signal);
      const leases = async () => {
        const found = await bao
          .ask('GET', 'sys/leases/lookup/database/creds/app?list=true')
          .catch(() => ({ keys: [] }));
        return (found.keys as string[]).length;
      };
      const before = await leases();
      await store.close();
      await expect.poll(leases).toBeLessThan(before);
    });
  });
});
