/** API keys that are made, expired and revoked with the command line while gateways run, over the real HTTP surface. */

import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createApiKey } from '../packages/gateway/src/authn/api-key.ts';
import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from './harness/gateway.ts';
import { bearer, modern, send } from './harness/http.ts';
import { NO_POSTGRES, startPostgres, type TestPostgres } from './harness/postgres.ts';
import { until } from './harness/until.ts';

/** The bound is five seconds; the rest is for a machine that does other things as well. */
const BOUND_MS = 15_000;

const gateways: TestGateway[] = [];
afterAll(async () => {
  for (const gateway of gateways) await gateway.close();
});

async function start(options: Partial<TestGatewayOptions> = {}) {
  const gateway = await startTestGateway({ yaml: '', ...options });
  gateways.push(gateway);
  const file = path.join(gateway.directory, 'sallyport.yaml');
  const key = (command: string, ...args: readonly string[]) =>
    sallyport(['key', command, ...args, '--config', file], options.env);
  return {
    ...gateway,
    key,
    create: async (...args: readonly string[]): Promise<string> => (await key('create', ...args)).out.trim(),
    ask: (credential: string) => ask(gateway, credential),
    /** Calls with a key that is known until the log says so: strangers would use up the attempts of their address. */
    askUntilLogged: (credential: string, words: string) =>
      until(words, async () => {
        expect((await ask(gateway, credential)).status).toBe(200);
        return gateway.log.some(({ message }) => message.includes(words));
      }),
  };
}

const LOST = 'cannot be looked up';
const FOUND = 'can be looked up again';

function ask({ url }: TestGateway, credential: string) {
  const request = modern('tools/list');
  return send(`${url}/mcp`, { ...request, headers: { ...request.headers, ...bearer(credential) } });
}

const stranger = (): string => createApiKey(randomBytes).key.expose();

describe('a key of the store', () => {
  test('lets its owner in as soon as it is made, and its use is seen', async () => {
    const { key, create, ask: askWith, records } = await start();
    const text = await create('carol', '--group', 'engineering', '--tenant', 'acme');
    expect((await askWith(text)).status).toBe(200);
    expect(await until('the record', () => records().find((record) => record['actor'] !== undefined))).toBeDefined();
    expect(JSON.stringify(records())).not.toContain(text);
    const used = await until('its use', async () => {
      const [listed] = JSON.parse((await key('list', '--json', '--tenant', 'acme')).out) as { lastUsed?: string }[];
      return listed?.lastUsed;
    });
    expect(Math.abs(Date.now() - Date.parse(used))).toBeLessThan(60_000);
  });

  test('is refused within seconds of its end, and let in again when its end is put off', async () => {
    const { key, create, ask: askWith } = await start();
    const text = await create('carol');
    expect((await askWith(text)).status).toBe(200);
    expect((await key('expire', 'carol')).code).toBe(0);
    const expired = await until(
      'the end',
      async () => ((await askWith(text)).status === 401 ? askWith(text) : false),
      BOUND_MS,
    );
    expect(expired.json?.error?.message).toContain('expired');
    expect((await key('expire', 'carol', '--in', '1h')).code).toBe(0);
    await until('the return', async () => (await askWith(text)).status === 200, BOUND_MS);
  }, 40_000);

  test('is refused within seconds of being revoked, and its successor is let in at once', async () => {
    const { key, create, ask: askWith } = await start();
    const text = await create('carol');
    expect((await askWith(text)).status).toBe(200);
    expect((await key('revoke', 'carol')).code).toBe(0);
    const next = await create('carol');
    expect((await askWith(next)).status).toBe(200);
    const revoked = await until(
      'the end',
      async () => ((await askWith(text)).status === 401 ? askWith(text) : false),
      BOUND_MS,
    );
    const unknown = await askWith(stranger());
    expect(revoked.json?.error?.message).toBe(unknown.json?.error?.message);
    expect(revoked.headers['www-authenticate']).toBe(unknown.headers['www-authenticate']);
    expect((await askWith(next)).status).toBe(200);
  }, 40_000);

  test('is good at a gateway that keeps nothing only when it stands in the configuration', async () => {
    const { key, ask: askWith, keys, log } = await start({ yaml: 'storage: { url: "memory:" }' });
    expect(log.map(({ message }) => message).join()).toContain('end with this process');
    expect(await key('create', 'carol')).toMatchObject({ code: 2, err: expect.stringContaining('--print-config') });
    expect((await key('list')).out).toMatch(/^alice .* configuration$/mu);
    expect((await askWith(keys['alice'] ?? '')).status).toBe(200);
    expect((await askWith(stranger())).status).toBe(401);
  });
});

describe('without its database', () => {
  test('a gateway believes the keys that it knows, and refuses unknown ones until it is back', async () => {
    const { create, ask: askWith, askUntilLogged, keys, directory } = await start();
    const text = await create('carol');
    expect((await askWith(text)).status).toBe(200);
    const folder = path.join(directory, 'data');
    renameSync(folder, `${folder}.away`);
    await askUntilLogged(text, LOST);
    const refused = await askWith(stranger());
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBeDefined();
    expect(refused.json?.error?.message).toContain('cannot be reached');
    expect((await askWith(text)).status).toBe(200);
    expect((await askWith(keys['alice'] ?? '')).status).toBe(200);
    renameSync(`${folder}.away`, folder);
    await askUntilLogged(text, FOUND);
    expect((await askWith(stranger())).status).toBe(401);
    expect((await askWith(await create('dave'))).status).toBe(200);
  }, 40_000);

  test('a gateway starts: configured keys work, stored ones get a 503', async () => {
    const env = { DATABASE_URL: 'postgres://app:hunter2@127.0.0.1:1/sallyport' };
    const { key, ask: askWith, keys, log } = await start({ yaml: 'storage: { url: env:DATABASE_URL }', env });
    expect(log.map(({ message }) => message).join()).toContain('started without its database');
    expect((await askWith(keys['alice'] ?? '')).status).toBe(200);
    expect((await askWith(stranger())).status).toBe(503);
    const failed = await key('create', 'carol');
    expect(failed).toMatchObject({ code: 3, out: '', err: expect.stringContaining('127.0.0.1:1/sallyport') });
    expect(JSON.stringify([log, failed])).not.toContain('hunter2');
  });
});

describe.skipIf(NO_POSTGRES !== undefined)('two gateways on one PostgreSQL', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  }, 120_000);
  afterAll(() => postgres?.close(), 60_000);

  test('know the same keys, refuse a revoked one both, and outlive the database', async () => {
    const env = { DATABASE_URL: await postgres.createDatabase() };
    const options = { yaml: 'storage: { url: env:DATABASE_URL }', env };
    const [one, other] = await Promise.all([start(options), start(options)]);
    const [carol, dave] = [await one.create('carol'), await other.create('dave')];
    for (const gateway of [one, other]) {
      await until('Carol in', async () => (await gateway.ask(carol)).status === 200);
      await until('Dave in', async () => (await gateway.ask(dave)).status === 200);
    }
    await other.key('revoke', 'dave');
    for (const gateway of [one, other]) {
      await until('the end', async () => (await gateway.ask(dave)).status === 401, BOUND_MS);
    }

    await postgres.stop();
    for (const gateway of [one, other]) {
      await gateway.askUntilLogged(carol, LOST);
      expect((await gateway.ask(stranger())).status).toBe(503);
    }
    await postgres.start();
    const unknown = stranger();
    for (const gateway of [one, other]) {
      await gateway.askUntilLogged(carol, FOUND);
      await until('a stranger out', async () => (await gateway.ask(unknown)).status === 401);
      await until('Dave out', async () => (await gateway.ask(dave)).status === 401);
      await until('Carol in', async () => (await gateway.ask(carol)).status === 200);
    }
  }, 120_000);
});
