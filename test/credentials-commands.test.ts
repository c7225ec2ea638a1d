/** What operators do to the tokens of people while a gateway runs: revocation, and another key under load. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { composeVault } from '../packages/gateway/src/composition/grants.ts';
import { composeSecrets } from '../packages/gateway/src/composition/secrets.ts';
import { openDatabase } from '../packages/gateway/src/composition/storage.ts';
import { loadConfig } from '../packages/gateway/src/config/load.ts';
import { newGrant } from '../packages/gateway/src/credential/grants.fixture.ts';
import type { GrantKey } from '../packages/gateway/src/credential/grant.ts';
import { Secret } from '../packages/gateway/src/model/secret.ts';
import { principalKey } from '../packages/gateway/src/model/principal.ts';
import { collectedLog } from '../packages/gateway/src/storage/sql/fixtures/collected-log.ts';
import { createSqlGrantStore } from '../packages/gateway/src/storage/sql/sql-grant-store.ts';
import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, send } from './harness/http.ts';
import { until } from './harness/until.ts';

const TOKEN = 'geheim-4f1c9d2e7a';

let gateway: TestGateway;
let vault: ReturnType<typeof composeVault>['vault'];
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  gateway = await startTestGateway({
    yaml: '',
    users: { ops: ['operators'], dave: ['engineering'] },
    policies: 'permit(principal in Group::"operators", action == Action::"revokeCredentials", resource);',
  });
  closing.push(() => gateway.close());
  const loaded = loadConfig(configFile(), { env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const { logger } = collectedLog();
  const { config } = loaded.value;
  const secrets = composeSecrets({ config, env: {}, logger });
  closing.push(() => secrets.close());
  const database = await openDatabase({ config, secrets, logger }, 30_000);
  if (database === undefined) throw new Error('no database');
  closing.push(() => database.close());
  ({ vault } = composeVault({ config: config.credentials, store: createSqlGrantStore(database), secrets, logger }));
}, 60_000);
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
});

const configFile = (): string => path.join(gateway.directory, 'sallyport.yaml');

const credentials = (...args: readonly string[]) => sallyport(['credentials', ...args, '--config', configFile()]);

const keyOf = (name: string, server: string, issuer = 'https://idp.example.com'): GrantKey => ({
  tenant: 'default',
  principal: principalKey('default', issuer, name),
  server,
});

const keep = (key: GrantKey): Promise<boolean> => vault.write(key, newGrant({ accessToken: new Secret(TOKEN) }), 0);

describe('sallyport credentials revoke', () => {
  test('ends what it is told to, says so for each, and stands in the record', async () => {
    for (const name of ['alice', 'bob']) for (const server of ['tickets', 'files']) await keep(keyOf(name, server));
    const one = await credentials('revoke', '--user', 'alice', '--server', 'tickets', '--yes');
    expect(one).toMatchObject({ code: 0 });
    expect(one.out).toMatch(/alice +tickets +not revoked: end it there/);
    expect(await vault.read(keyOf('alice', 'tickets'))).toBeUndefined();
    expect(await vault.read(keyOf('alice', 'files'))).toBeDefined();
    const json = await credentials('revoke', '--server', 'files', '--yes', '--json');
    expect(JSON.parse(json.out)).toHaveLength(2);
    expect(await credentials('revoke', '--all', '--yes')).toMatchObject({ code: 0 });
    expect(await vault.list({})).toEqual([]);
    expect((await credentials('revoke', '--all', '--yes')).out).toContain('nothing was revoked');
    const recorded = await until('the record', () => {
      const text = JSON.stringify(gateway.records());
      return text.includes('everyone at every server') && text;
    });
    expect(recorded).toContain('credentials/revoke');
    expect([recorded, one.out, one.err, json.out].join('')).not.toContain(TOKEN);
  });

  test('wants to know whose, and which of two who go by one name', async () => {
    expect(await credentials('revoke', '--yes')).toMatchObject({ code: 2 });
    expect(await credentials('revoke', '--all', '--user', 'x')).toMatchObject({ code: 2 });
    await keep(keyOf('carol', 'tickets'));
    await keep(keyOf('carol', 'tickets', 'https://other.example.com'));
    const both = await credentials('revoke', '--user', 'carol', '--yes');
    expect(both).toMatchObject({ code: 2 });
    expect(both.err).toContain('Several people are called "carol"');
    expect((await credentials('revoke', '--user', 'carel', '--yes')).err).toContain('Did you mean carol?');
    const whole = await credentials('revoke', '--user', keyOf('carol', '').principal, '--yes');
    expect(whole).toMatchObject({ code: 0 });
    expect((await vault.list({})).map(({ key }) => key)).toEqual([
      keyOf('carol', 'tickets', 'https://other.example.com'),
    ]);
    // Nobody confirms it where there is no terminal.
    expect(await credentials('revoke', '--all')).toMatchObject({ code: 2 });
    await credentials('revoke', '--all', '--yes');
  });
});

describe('DELETE /api/v1/credentials', () => {
  const revoke = (name: string, query: string) =>
    send(`${gateway.url}/api/v1/credentials${query}`, { method: 'DELETE', headers: bearer(gateway.keys[name] ?? '') });
  /** As the gateway names people who came with an API key. */
  const own = (name: string): GrantKey => keyOf(name, 'tickets', 'api-key');

  test('ends what an operator names, in the own tenant alone, and stands in the record before and after', async () => {
    await keep(own('alice'));
    await keep(own('bob'));
    await keep({ ...own('alice'), tenant: 'acme', principal: principalKey('acme', 'api-key', 'alice') });
    const answer = await revoke('ops', '?user=alice');
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      revoked: [{ ...own('alice'), issuer: 'https://as.example.com', atIssuer: 'not-revoked' }],
    });
    expect(JSON.parse((await revoke('ops', '?all=true')).text)).toMatchObject({ revoked: [own('bob')] });
    expect((await vault.list({})).map(({ key }) => key.tenant)).toEqual(['acme']);
    expect((await revoke('ops', '?user=nobody')).json).toEqual({ revoked: [] });
    const lines = gateway.records().map((record) => JSON.stringify(record));
    const acts = lines.filter((line) => line.includes('"revoke":{"user":"alice","server":"all"}'));
    // The intent, durable before anything was gone, and the outcome.
    expect(acts).toHaveLength(2);
    expect(lines.join('\n')).toContain('api:ops');
    expect(lines.join('\n') + answer.text).not.toContain(TOKEN);
    await credentials('revoke', '--all', '--yes');
  });

  test('is for whom policy permits it, and for nobody else', async () => {
    await keep(own('alice'));
    expect((await revoke('dave', '?user=alice')).status).toBe(403);
    expect((await revoke('nobody', '?user=alice')).status).toBe(401);
    expect(await vault.read(own('alice'))).toBeDefined();
    await credentials('revoke', '--all', '--yes');
  });

  test.each(['', '?all=yes', '?all=true&user=alice', '?usr=alice', '?user=', '?user=a&user=b'])(
    'does not guess what "%s" means',
    async (query) => {
      expect((await revoke('ops', query)).status).toBe(400);
    },
  );
});

describe('sallyport credentials rotate-key', () => {
  test('wraps everything anew while it is used, and no look fails', async () => {
    const keys = Array.from({ length: 60 }, (_, index) => keyOf(`user-${index}`, 'tickets'));
    for (const key of keys) await keep(key);
    const used = new AbortController();
    let looks = 0;
    const use = async (): Promise<void> => {
      while (!used.signal.aborted) {
        for (const key of keys) {
          expect((await vault.read(key))?.grant.accessToken.expose()).toBe(TOKEN);
          looks += 1;
          await nextTurn();
        }
      }
    };
    const using = use();
    const first = await credentials('rotate-key');
    const second = await credentials('rotate-key');
    used.abort();
    await using;
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(second.out).toContain('60 were wrapped anew');
    expect(looks).toBeGreaterThan(keys.length);
    expect((await credentials('rotate-key', '--continue')).out).toContain('0 were wrapped anew');
    expect(await until('the record', () => JSON.stringify(gateway.records()).includes('credentials/rotate-key'))).toBe(
      true,
    );
  }, 60_000);

  test('prepares a key that is used later, where gateways have copies of the ring', async () => {
    const prepared = await credentials('rotate-key', '--prepare');
    const id = /has a new key: (\S+)\./.exec(prepared.out)?.[1] ?? '';
    expect((await credentials('rotate-key', '--continue')).out).not.toContain(`under the key ${id}`);
    expect((await credentials('rotate-key', '--use', id)).out).toContain(`under the key ${id}: 60 were wrapped anew`);
    expect(await credentials('rotate-key', '--use', 'nope')).toMatchObject({ code: 1 });
    expect(await credentials('rotate-key', '--use', id, '--prepare')).toMatchObject({ code: 2 });
  });

  test('leaves no token in any file of the gateway, nor in its log', () => {
    const files = readdirSync(gateway.directory, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const all = files.map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'latin1')).join('');
    expect(all).toContain('user-59');
    expect(all + JSON.stringify(gateway.log)).not.toContain(TOKEN);
  });
});
