import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { ApiKeyStore } from '../authn/api-key-store.ts';
import { createPki, hasOpenssl, type Pki } from '../authn/certificates.fixture.ts';
import { parseTrustBundle } from '../authn/trust-bundle.ts';
import { loadConfig } from '../config/load.ts';
import { createSecretResolver } from '../credential/secret-resolver.ts';
import { createMemoryApiKeyStore } from '../storage/memory/memory-api-key-store.ts';
import { collectedLog } from '../storage/sql/fixtures/collected-log.ts';
import type { HeldCertificates } from './certificates.ts';
import { createExpiry } from './expiry.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.parse('2027-01-01T00:00:00Z');
const iso = (days: number): string => new Date(START_MS + days * DAY_MS).toISOString();
const jwt = (days: number): string =>
  `e30.${Buffer.from(JSON.stringify({ exp: (START_MS + days * DAY_MS) / 1000 })).toString('base64url')}.c2ln`;

const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-expiry-'));
afterAll(() => rmSync(folder, { recursive: true }));

type World = {
  readonly yaml?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly apiKeys?: Pick<ApiKeyStore, 'list'>;
  readonly held?: HeldCertificates;
};

function world({ yaml = '{}', env = {}, apiKeys = createMemoryApiKeyStore(), held }: World) {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, yaml);
  const loaded = loadConfig(file, { env });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const clock = { nowMs: START_MS };
  const { logger, lines } = collectedLog();
  const expiry = createExpiry({
    config: loaded.value.config,
    certificates: { held: () => held ?? { shown: undefined, bundles: [] } },
    apiKeys,
    resolver: createSecretResolver({ env, logger, clockMs: () => clock.nowMs }),
    logger,
    now: () => clock.nowMs,
  });
  return { clock, expiry, lines };
}

const HASHES = ['a', 'b', 'c'].map((digit) => `sha256:${digit.repeat(64)}`);

const KEYS = `identity:
  apiKeys:
    - { name: alice, hash: "${HASHES[0]}", expires: "${iso(40)}" }
    - { name: carol, hash: "${HASHES[1]}", tenant: acme, expires: "${iso(-3)}" }
    - { name: endless, hash: "${HASHES[2]}" }
`;

const stored = (id: string, expiresAtMs?: number) => ({
  id,
  tenant: 'default',
  name: `job-${id}`,
  hash: id.padEnd(64, '0'),
  hint: 'sp_abc',
  groups: [],
  createdAtMs: 1,
  ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
});

describe('how long credentials are good', () => {
  it('is known of the keys of the configuration, soonest first, expired ones included', () => {
    expect(world({ yaml: KEYS }).expiry.list()).toEqual([
      { credential: 'acme/carol', kind: 'api-key', expiresAtMs: START_MS - 3 * DAY_MS },
      { credential: 'alice', kind: 'api-key', expiresAtMs: START_MS + 40 * DAY_MS },
    ]);
  });

  it('is known of stored keys that end within a month or ended today, by name and the beginning of the id', async () => {
    const apiKeys = createMemoryApiKeyStore();
    const ends = { '11111111-soon': 3, '22222222-late': 31, '33333333-ended': -0.5, '44444444-history': -2 };
    for (const [id, days] of Object.entries(ends)) await apiKeys.create(stored(id, START_MS + days * DAY_MS));
    await apiKeys.create(stored('55555555-endless'));
    const { expiry } = world({ apiKeys });
    await expiry.refresh();
    expect(expiry.list().map(({ credential, kind }) => [credential, kind])).toEqual([
      ['job-33333333-ended 33333333', 'stored-api-key'],
      ['job-11111111-soon 11111111', 'stored-api-key'],
    ]);
  });

  it('is known of a hundred stored keys and no more', async () => {
    const apiKeys = createMemoryApiKeyStore();
    for (let index = 0; index < 150; index += 1) await apiKeys.create(stored(`${index}`, START_MS + index * 1000));
    const { expiry } = world({ apiKeys });
    await expiry.refresh();
    expect(expiry.list()).toHaveLength(100);
  });

  it('stays known while the database is away', async () => {
    const apiKeys = createMemoryApiKeyStore();
    await apiKeys.create(stored('1', START_MS + DAY_MS));
    let isAway = false;
    const store: Pick<ApiKeyStore, 'list'> = {
      list: (only) => (isAway ? Promise.reject(new Error('no answer')) : apiKeys.list(only)),
    };
    const { expiry } = world({ apiKeys: store });
    await expiry.refresh();
    isAway = true;
    await expiry.refresh();
    expect(expiry.list()).toHaveLength(1);
  });

  it('is known of tokens for servers that say when they end, and of nothing else that servers are called with', async () => {
    writeFileSync(path.join(folder, 'token'), `${jwt(5)}\n`);
    const yaml = `servers:
  crm: { url: "https://crm.example/mcp", headers: { Authorization: "Bearer env:CRM", X-Plain: "file:./none" } }
  local: { command: [node], env: { TOKEN: "file:./token", OTHER: env:OTHER, LEVEL: info } }
`;
    const { expiry, lines } = world({ yaml, env: { CRM: jwt(2), OTHER: 'sk-live-4f9c2e7a' } });
    await expiry.refresh();
    expect(expiry.list()).toEqual([
      { credential: 'crm Authorization', kind: 'server-token', expiresAtMs: START_MS + 2 * DAY_MS },
      { credential: 'local TOKEN', kind: 'server-token', expiresAtMs: START_MS + 5 * DAY_MS },
    ]);
    expect(lines.join('\n')).not.toContain(jwt(2));
  });

  it('is logged 30, 7 and 1 days ahead and at the end, once each, and not for what was skipped', async () => {
    const { clock, expiry, lines } = world({ yaml: KEYS });
    const at = async (days: number): Promise<readonly string[]> => {
      clock.nowMs = START_MS + days * DAY_MS;
      lines.length = 0;
      await expiry.refresh();
      await expiry.refresh();
      return lines.filter((line) => line.includes('alice'));
    };
    expect(await at(0)).toEqual([]);
    expect(await at(11)).toEqual([expect.stringContaining('within 30 days')]);
    expect(await at(12)).toEqual([]);
    expect(await at(39.5)).toEqual([expect.stringContaining('within a day')]);
    expect(await at(39.9)).toEqual([]);
    expect(await at(40)).toEqual([expect.stringContaining('has expired')]);
    expect(await at(50)).toEqual([]);
  });
});

describe.skipIf(!hasOpenssl)('how long certificates are good', () => {
  let pki: Pki;
  beforeAll(() => {
    pki = createPki();
    return () => pki.close();
  });

  it('is the end of the first of a chain that ends', () => {
    const root = pki.authority('root', { days: 100 });
    const between = pki.authority('between', { by: root, days: 3 });
    const leaf = pki.leaf('gateway', { by: between, days: 50, names: ['DNS:localhost'] });
    const [only, ...others] = world({ held: { shown: leaf.chain, bundles: [] } }).expiry.list();
    expect([only?.credential, only?.kind, others]).toEqual(['listener', 'tls-certificate', []]);
    expect(((only?.expiresAtMs ?? 0) - Date.now()) / DAY_MS).toBeCloseTo(3, 1);
  });

  it('is told of each authority of a bundle, and no longer of ended ones while others are good', () => {
    const two = parseTrustBundle(pki.authority('old', { days: 10 }).pem + pki.authority('new', { days: 90 }).pem);
    if (!two.ok) throw new Error(two.error);
    const { clock, expiry } = world({
      held: { shown: undefined, bundles: [{ trustDomain: 'example.org', bundle: two.value }] },
    });
    clock.nowMs = Date.now();
    expect(expiry.list().map(({ kind }) => kind)).toEqual(['trust-authority', 'trust-authority']);
    expect(expiry.list()[0]?.credential).toMatch(/^example\.org [0-9a-f]{8}$/u);
    clock.nowMs = Date.now() + 20 * DAY_MS;
    expect(expiry.list()).toHaveLength(1);
    clock.nowMs = Date.now() + 200 * DAY_MS;
    expect(expiry.list()).toHaveLength(2);
  });
});
