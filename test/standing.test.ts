/** What a running gateway says about its own standing: dependencies and credentials, in its metrics, status and log. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { openAppendFile } from '../packages/gateway/src/audit/append-file.ts';
import { createApiKey } from '../packages/gateway/src/authn/api-key.ts';
import { newGrant, newGrantKey, testRing } from '../packages/gateway/src/credential/grants.fixture.ts';
import { createSealedGrantVault } from '../packages/gateway/src/credential/sealed-grant-vault.ts';
import { createSqliteBackend } from '../packages/gateway/src/storage/sqlite/sqlite-backend.ts';
import { collectedLog } from '../packages/gateway/src/storage/sql/fixtures/collected-log.ts';
import { SqlDatabase } from '../packages/gateway/src/storage/sql/sql-database.ts';
import { createSqlGrantStore } from '../packages/gateway/src/storage/sql/sql-grant-store.ts';
import { startMisbehavingServer } from './fixtures/misbehaving-http.ts';
import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send } from './harness/http.ts';
import { until } from './harness/until.ts';
import { startIdentityProvider } from './identity/world.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function start(options: Parameters<typeof startTestGateway>[0]): Promise<TestGateway & { operations: string }> {
  const made = await startTestGateway(options);
  closers.push(() => made.close());
  return { ...made, operations: made.gateway.operationsUrl ?? '' };
}

const metrics = async (operations: string): Promise<string> => (await fetch(`${operations}/metrics`)).text();

const IN_FIVE_DAYS = new Date(Date.now() + 5 * 86_400_000).toISOString();
const KEY = `    - { name: job, hash: "sha256:${'e'.repeat(64)}", expires: "${IN_FIVE_DAYS}" }`;

describe('a running gateway', () => {
  it('tells how many seconds a key is still good, and says so in its log once', async () => {
    const { gateway, operations, log } = await start({ yaml: KEY });
    const line = (await metrics(operations)).split('\n').find((one) => one.startsWith('sallyport_credential_expiry'));
    expect(line).toMatch(/^sallyport_credential_expiry_seconds\{credential="job",kind="api-key"\} 43\d{4}$/u);
    expect(gateway.status().credentials).toMatchObject([{ credential: 'job', kind: 'api-key' }]);
    const said = await until('the warning', () => log.find(({ credential }) => credential === 'job'));
    expect(said).toMatchObject({ level: 'warn', expires: IN_FIVE_DAYS });
    expect((await sallyport(['status', '--url', operations])).out).toMatch(/expires in 4 d 23 h: api-key job/u);
  });

  it('tells that what it depends on answers', async () => {
    const { operations } = await start({ yaml: '' });
    const text = await metrics(operations);
    expect(text).toContain('sallyport_dependency_up{dependency="audit",kind="file"} 1');
    expect(text).toContain('sallyport_dependency_up{dependency="storage",kind="database"} 1');
    const { out, code } = await sallyport(['status', '--url', operations]);
    expect(out).toContain('answering: storage, audit');
    expect(code).toBe(0);
  });

  it('tells how many people are logged in to a server, and how many have to log in again, and not who', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-standing-'));
    closers.push(async () => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'kept.db');
    const clockMs = (): number => performance.now();
    const { logger } = collectedLog();
    const backend = createSqliteBackend({ file, clockMs });
    const database = new SqlDatabase({ backend, logger, clockMs, timeoutMs: 10_000 });
    const { envelope } = testRing();
    const vault = createSealedGrantVault({ store: createSqlGrantStore(database), envelope, now: Date.now });
    for (const server of ['crm', 'crm', 'wiki']) await vault.write(newGrantKey({ server }), newGrant(), 0);
    await vault.write(newGrantKey({ server: 'crm', principal: 'geheim-alice' }), newGrant({ refusedAtMs: 1 }), 0);
    await database.close();
    const { operations, gateway } = await start({ yaml: `storage: { url: "sqlite:${file}" }` });
    await until('the look at the grants', () => gateway.status().grants.length > 0);
    expect(gateway.status().grants).toEqual([
      { server: 'crm', good: 2, needsLogin: 1 },
      { server: 'wiki', good: 1, needsLogin: 0 },
    ]);
    const text = await metrics(operations);
    expect(text).toContain('sallyport_grants{server="crm",status="needs-login"} 1');
    expect(text).toContain('sallyport_grants{server="crm",status="good"} 2');
    const { out, code } = await sallyport(['status', '--url', operations]);
    expect(out).toContain('people logged in to crm: 2; 1 has to log in again');
    expect(out).toMatch(/people logged in to wiki: 1$/mu);
    expect(code).toBe(0);
    // Of a server that the configuration does not have, nothing is known but whose consents there are.
    const list = await sallyport(['credentials', 'list', '--url', operations]);
    expect(list.out).toMatch(/^geheim-alice +crm +grant +needs-login .*\n +scopes tickets:read, tickets:write$/mu);
    expect(text + out + JSON.stringify(gateway.status())).not.toContain('geheim-alice');
  });

  it('tells that its database is away, and since when', async () => {
    const { operations, directory, url } = await start({ yaml: 'storage: { url: "sqlite:./data/s.db" }' });
    rmSync(path.join(directory, 'data'), { recursive: true });
    const unknown = createApiKey(randomBytes).key.expose();
    const gone = 'sallyport_dependency_up{dependency="storage",kind="database"} 0';
    await until('the database to be missed', async () => {
      const request = modern('tools/list');
      await send(`${url}/mcp`, { ...request, headers: { ...request.headers, ...bearer(unknown) } });
      return (await metrics(operations)).includes(gone);
    });
    const { out, code } = await sallyport(['status', '--url', operations]);
    expect(out).toMatch(/database away since \d+ s: storage\n {4}\S/u);
    expect(code).toBe(1);
  });

  it('tells that an identity issuer is away once somebody has come with its token, and that it is back', async () => {
    const issuer = await startIdentityProvider();
    closers.push(() => issuer.close());
    const { url, operations } = await start({ yaml: `  issuers: [{ issuer: "${issuer.url}" }]` });
    const told = async (up: 0 | 1): Promise<boolean> =>
      (await metrics(operations)).includes(`sallyport_dependency_up{dependency="${issuer.url}",kind="issuer"} ${up}`);
    const request = modern('tools/list');
    const come = async (): Promise<unknown> =>
      send(`${url}/mcp`, {
        ...request,
        headers: { ...request.headers, ...bearer(await issuer.token({ aud: `${url}/mcp` })) },
      });
    expect(await metrics(operations), 'nobody has asked yet').not.toContain('kind="issuer"');
    issuer.answerWith((_, response) => void response.writeHead(500).end());
    await come();
    expect(await told(0)).toBe(true);
    expect((await sallyport(['status', '--url', operations])).out).toContain(`: ${issuer.url}\n    no metadata:`);
    issuer.answerWith();
    await until('the issuer to be asked again', async () => {
      await come();
      return told(1);
    });
  });

  it('tells that a collector takes nothing, which refuses no call', async () => {
    const { operations } = await start({
      yaml: 'telemetry: { otlp: { endpoint: "http://127.0.0.1:1", timeout: 1s }, metrics: { every: 1s } }',
    });
    await until('the metric', async () =>
      (await metrics(operations)).includes('sallyport_dependency_up{dependency="collector",kind="telemetry"} 0'),
    );
    const { out } = await sallyport(['status', '--url', operations]);
    expect(out).toMatch(/telemetry away since \d+ s: collector\n {4}it does not take metrics/u);
  });

  it('tells that its record cannot be written', async () => {
    const upstream = await startMisbehavingServer();
    closers.push(() => upstream.close());
    let full = false;
    const { url, keys, operations } = await start({
      yaml: `servers:\n  files: { url: "${upstream.url}", allow: [{ group: engineering, tools: ["*"] }] }`,
      openAuditFile: async (file) => {
        const opened = await openAppendFile(file);
        return {
          write: (bytes) => (full ? Promise.reject(new Error('ENOSPC: no space left')) : opened.write(bytes)),
          sync: () => opened.sync(),
          close: () => opened.close(),
        };
      },
    });
    full = true;
    const request = modern('tools/call', { name: 'ok', arguments: { text: 'x' } });
    await send(`${url}/mcp`, { ...request, headers: { ...request.headers, ...bearer(keys['alice'] ?? '') } });
    await until('the metric', async () =>
      (await metrics(operations)).includes('sallyport_dependency_up{dependency="audit",kind="file"} 0'),
    );
    expect((await sallyport(['status', '--url', operations])).out).toMatch(/file away since .*: audit\n {4}ENOSPC/u);
    full = false;
  });
});
