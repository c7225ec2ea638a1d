/** Tokens of people under a key that stays in a Vault: a real OpenBao, its rotation, and what it refuses. */

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { composeVault } from '../packages/gateway/src/composition/grants.ts';
import { composeSecrets } from '../packages/gateway/src/composition/secrets.ts';
import { openDatabase } from '../packages/gateway/src/composition/storage.ts';
import { loadConfig } from '../packages/gateway/src/config/load.ts';
import { newGrant } from '../packages/gateway/src/credential/grants.fixture.ts';
import type { GrantKey } from '../packages/gateway/src/credential/grant.ts';
import type { GrantStore } from '../packages/gateway/src/credential/grant-rows.ts';
import { WrappingKeyError } from '../packages/gateway/src/credential/key-wrapper.ts';
import { Secret } from '../packages/gateway/src/model/secret.ts';
import { principalKey } from '../packages/gateway/src/model/principal.ts';
import { collectedLog } from '../packages/gateway/src/storage/sql/fixtures/collected-log.ts';
import { createSqlGrantStore } from '../packages/gateway/src/storage/sql/sql-grant-store.ts';
import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { NO_OPENBAO, startOpenBao, type TestOpenBao } from './harness/openbao.ts';

const TOKEN = 'geheim-9d0b77aa31';
const GRANTS = 12;

const keyOf = (name: string): GrantKey => ({
  tenant: 'default',
  principal: principalKey('default', 'https://idp.example.com', name),
  server: 'tickets',
});
const KEYS = Array.from({ length: GRANTS }, (_, index) => keyOf(`user-${index}`));
const [first = keyOf('nobody')] = KEYS;

describe.skipIf(NO_OPENBAO !== undefined)('grants under a transit key', () => {
  let bao: TestOpenBao;
  let gateway: TestGateway;
  let vault: ReturnType<typeof composeVault>['vault'];
  let store: GrantStore;
  let env: Readonly<Record<string, string>>;
  const closing: (() => Promise<unknown>)[] = [];

  const configFile = (): string => path.join(gateway.directory, 'sallyport.yaml');
  const rotate = (...args: readonly string[]) =>
    sallyport(['credentials', 'rotate-key', ...args, '--config', configFile()], env);
  const oldestVersion = (version: number) =>
    bao.ask('POST', 'transit/keys/grants/config', { min_decryption_version: version });
  const policy = (rules: string) => bao.ask('POST', 'sys/policies/acl/grants', { policy: rules });
  const POLICY = ['encrypt', 'decrypt']
    .map((act) => `path "transit/${act}/grants" { capabilities = ["update"] }`)
    .join('\n')
    .concat('\npath "transit/keys/grants" { capabilities = ["read"] }');

  beforeAll(async () => {
    bao = await startOpenBao();
    closing.push(() => bao.close());
    await bao.ask('POST', 'sys/mounts/transit', { type: 'transit' });
    await bao.ask('POST', 'transit/keys/grants', {});
    await policy(POLICY);
    const made = await fetch(`${bao.url}/v1/auth/token/create`, {
      method: 'POST',
      headers: { 'x-vault-token': bao.rootToken },
      body: JSON.stringify({ policies: ['grants'], no_parent: true }),
    });
    const { auth } = (await made.json()) as { auth: { client_token: string } };
    env = { VAULT_TOKEN: auth.client_token };
    gateway = await startTestGateway({
      env,
      users: { alice: ['staff'] },
      yaml: [
        `secrets: { vault: { address: "${bao.url}", timeout: 1s, auth: { method: token, token: "env:VAULT_TOKEN" } } }`,
        'credentials: { transit: { key: grants } }',
      ].join('\n'),
    });
    closing.push(() => gateway.close());
    const loaded = loadConfig(configFile(), { env });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
    const { config } = loaded.value;
    const { logger } = collectedLog();
    const secrets = composeSecrets({ config, env, logger });
    closing.push(() => secrets.close());
    const database = await openDatabase({ config, secrets, logger }, 30_000);
    if (database === undefined) throw new Error('no database');
    closing.push(() => database.close());
    store = createSqlGrantStore(database);
    ({ vault } = composeVault({ config: config.credentials, store, secrets, logger }));
  }, 90_000);
  afterAll(async () => {
    for (const close of closing.toReversed()) await close();
  });

  const tokenOf = async (key: GrantKey): Promise<string | undefined> =>
    (await vault.read(key))?.grant.accessToken.expose();

  test('are read again as they were kept, with the policy of the documentation, and no key ring is made', async () => {
    for (const key of KEYS) await vault.write(key, newGrant({ accessToken: new Secret(TOKEN) }), 0);
    expect(await Promise.all(KEYS.map(tokenOf))).toEqual(KEYS.map(() => TOKEN));
    expect((await store.read(first))?.sealed).toMatchObject({
      keyId: 'transit/grants:v1',
      wrapped: expect.stringMatching(/^vault:v1:/),
    });
    expect(existsSync(path.join(gateway.directory, 'data/grants.keys.json'))).toBe(false);
    const files = readdirSync(gateway.directory, { recursive: true, withFileTypes: true }).filter((one) =>
      one.isFile(),
    );
    const all = files.map((one) => readFileSync(path.join(one.parentPath, one.name), 'latin1')).join('');
    expect(all).toContain('user-3');
    expect(all + JSON.stringify(gateway.log)).not.toContain(TOKEN);
  });

  test('are wrapped anew after a rotation in the Vault, and need the old version no more', async () => {
    const refused = await rotate();
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.err).toContain('vault write -f transit/keys/grants/rotate');
    await bao.ask('POST', 'transit/keys/grants/rotate', {});
    expect(await tokenOf(first)).toBe(TOKEN);
    const done = await rotate('--continue');
    expect([done.code, done.out]).toEqual([
      0,
      `Tokens of people are encrypted under the key transit/grants:v2: ${GRANTS} were wrapped anew.\n`,
    ]);
    expect((await rotate('--continue')).out).toContain(': 0 were wrapped anew');
    await oldestVersion(2);
    expect(await Promise.all(KEYS.map(tokenOf))).toEqual(KEYS.map(() => TOKEN));
  }, 30_000);

  test('whose version the Vault gives up are refused by its name, and stay', async () => {
    await bao.ask('POST', 'transit/keys/grants/rotate', {});
    await oldestVersion(3);
    const error = await vault.read(first).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WrappingKeyError);
    expect(error).toMatchObject({
      keyId: 'transit/grants:v2',
      message: expect.stringContaining('Nothing was deleted'),
    });
    const stopped = await rotate('--continue');
    expect(stopped.code).toBe(1);
    expect(stopped.err).toContain(`${GRANTS} are under the key transit/grants:v2`);
    await oldestVersion(2);
    expect(await tokenOf(first)).toBe(TOKEN);
  }, 30_000);

  test('are refused, and stay, while the policy lets the gateway use the key no more', async () => {
    await policy('path "secret/*" { capabilities = ["read"] }');
    await expect(vault.read(first)).rejects.toThrow(WrappingKeyError);
    await expect(vault.read(first)).rejects.toThrow(/"transit\/grants:v2".*status 403/);
    expect(await rotate('--continue')).toMatchObject({ code: 1, err: expect.stringContaining('"transit/grants"') });
    await policy(POLICY);
    expect(await tokenOf(first)).toBe(TOKEN);
  }, 30_000);

  test('of another key than the configured one are told by the key that they are under', async () => {
    const row = await store.read(first);
    if (row === undefined) throw new Error('no row');
    const other = keyOf('moved');
    const sealed = { ...row.sealed, keyId: 'k1' };
    await store.write({ ...row, key: other, version: 1, sealed }, 0, { maxGrants: 100, maxPerPrincipal: 100 });
    await expect(vault.read(other)).rejects.toMatchObject({ name: 'WrappingKeyError', keyId: 'k1' });
    await store.remove({ id: 'moved', atMs: Date.now(), filter: other }, 10);
  });

  test('wait for a Vault that does not answer, and are there when it does', async () => {
    bao.freeze();
    const away = await vault.read(first).catch((thrown: unknown) => thrown);
    const renewal = vault.lease(first, 'one', Date.now() + 60_000);
    await expect(renewal).rejects.toThrow('did not answer');
    const command = await rotate('--continue');
    bao.thaw();
    expect(away).toBeInstanceOf(Error);
    expect(away).not.toBeInstanceOf(WrappingKeyError);
    expect(String(away)).toContain('did not answer');
    expect(command.code).toBe(3);
    expect(command.err).toContain('did not answer');
    expect(await tokenOf(first)).toBe(TOKEN);
    // Nobody was asked for another token meanwhile, and the next one who comes may.
    expect(await vault.lease(first, 'another', Date.now() + 60_000)).toBe(true);
  }, 30_000);
});
