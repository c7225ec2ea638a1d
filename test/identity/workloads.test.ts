/** Workloads over real TLS: certificates of callers, bundles and keys that rotate, and what a proxy of the mesh says. */

import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import { createPki, hasOpenssl, type Issued, type Pki } from '../../packages/gateway/src/authn/certificates.fixture.ts';
import { startMisbehavingServer, type MisbehavingServer } from '../fixtures/misbehaving-http.ts';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';
import { bearer, legacy, modern, type HttpRequest } from '../harness/http.ts';
import { until } from '../harness/until.ts';
import { createTlsClient, type TlsAnswer, type TlsClientOptions } from './tls-client.ts';
import { callOk, startIdentityProvider, type IdentityProvider } from './world.ts';

const AGENT = 'spiffe://example.org/ns/prod/agent';
const PATH = '/servers/plain/mcp';
const DAY_MS = 86_400_000;

type RecordedActor = {
  readonly actor?: { readonly user?: { readonly uid: string; readonly type: string } };
  readonly metadata: { readonly tenant_uid?: string };
  readonly unmapped: { readonly workload?: unknown; readonly credential?: string; readonly outcome?: string };
};

if (!hasOpenssl) process.stderr.write('SKIPPED: the tests of certificates need the openssl command.\n');

describe.skipIf(!hasOpenssl)('over TLS', () => {
  let pki: Pki;
  let files: string;
  let upstream: MisbehavingServer;
  let idp: IdentityProvider;
  let gateway: TestGateway;
  let strict: TestGateway;
  let root: Issued;
  let partner: Issued;
  let web: Issued;
  let agent: Issued;
  let server: Issued;

  /** As Kubernetes and SPIRE do it: written beside, then put in place at once. */
  const put = (name: string, text: string): void => {
    const file = path.join(files, name);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };

  const configured = (clientCertificates: string): string =>
    [
      `  issuers: [{ issuer: "${idp.url}" }, { issuer: "${idp.url}/acme", jwksUri: "${idp.url}/keys", tenant: acme }]`,
      // Every row of the table fails from one address.
      '  failedAttempts: 10000/minute',
      '  workloads:',
      '    trustDomains:',
      `      - { name: example.org, bundle: "${files}/example.pem" }`,
      `      - { name: partner.example, bundle: "${files}/partner.pem", tenant: acme }`,
      'tls:',
      `  certificate: "${files}/tls.pem"`,
      `  key: "${files}/tls.key"`,
      `  clientCertificates: ${clientCertificates}`,
      'servers:',
      '  plain:',
      `    url: "${upstream.url}"`,
      '    tools: { "*": { readOnly: true, risk: low } }',
      '    allow: [{ anyone: true, tools: ["*"] }]',
    ].join('\n');

  beforeAll(async () => {
    [upstream, idp] = await Promise.all([startMisbehavingServer(), startIdentityProvider()]);
    pki = createPki();
    files = mkdtempSync(path.join(tmpdir(), 'sallyport-tls-'));
    root = pki.authority('root');
    partner = pki.authority('partner');
    web = pki.authority('web');
    server = pki.leaf('gateway-one', { by: web, names: ['IP:127.0.0.1', 'DNS:localhost'] });
    agent = pki.leaf('agent', { by: pki.authority('between', { by: root }), names: [`URI:${AGENT}`] });
    put('tls.pem', server.chain);
    put('tls.key', server.key);
    put('example.pem', root.pem);
    put('partner.pem', partner.pem);
    gateway = await startTestGateway({ yaml: configured('optional') });
    strict = await startTestGateway({ yaml: configured('required') });
  }, 60_000);

  afterAll(async () => {
    await Promise.all([gateway?.close(), strict?.close()]);
    await Promise.all([upstream?.close(), idp?.close()]);
    pki?.close();
    if (files !== undefined) rmSync(files, { recursive: true, force: true });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  const ask = async (
    certificate: Issued | undefined,
    request: HttpRequest = callOk(),
    more: Partial<TlsClientOptions> & { readonly of?: TestGateway } = {},
  ): Promise<TlsAnswer> => {
    const { of = gateway, ...options } = more;
    const client = createTlsClient({ trusted: web.pem, certificate, ...options });
    try {
      return await client.send(`${of.url}${PATH}`, request);
    } finally {
      client.close();
    }
  };

  const withToken = (token: string, request = callOk()): HttpRequest => ({
    ...request,
    headers: { ...request.headers, ...bearer(token) },
  });

  const lastRefusal = (of = gateway): string =>
    String(of.log.findLast(({ message }) => message === 'a credential was refused')?.['reason']);

  /** The newest record of a call that was answered, once it is one of `subject`. */
  const recordOf = (subject: string): Promise<RecordedActor> =>
    until(`the record of ${subject}`, () => {
      const records = gateway.records() as unknown as readonly RecordedActor[];
      const last = records.findLast(({ unmapped }) => unmapped.outcome === 'ok');
      return last?.actor?.user?.uid === subject ? last : undefined;
    });

  describe('a certificate', () => {
    test('alone is a workload, which the record names', async () => {
      const answer = await ask(agent);
      expect(answer.json?.result, answer.text).toBeDefined();
      const record = await recordOf(AGENT);
      expect(record.actor?.user).toMatchObject({ uid: AGENT, type: 'workload' });
      expect(record.unmapped).toMatchObject({
        credential: 'mtls',
        workload: { uid: AGENT, credential: 'mtls' },
      });
    });

    test('beside an API key or a token leaves the user the principal, and the record shows both', async () => {
      const token = await idp.token({ aud: `${gateway.url}${PATH}`, sub: 'carol' });
      for (const [credential, subject, kind] of [
        [gateway.keys.alice ?? '', 'alice', 'api-key'],
        [token, 'carol', 'jwt'],
      ] as const) {
        const answer = await ask(agent, withToken(credential));
        expect(answer.json?.result, answer.text).toBeDefined();
        const record = await recordOf(subject);
        expect(record.actor?.user).toMatchObject({ uid: subject, type: 'user' });
        expect(record.unmapped).toMatchObject({ credential: kind, workload: { uid: AGENT, credential: 'mtls' } });
      }
    });

    test('is not needed where it is optional: users come without one', async () => {
      const answer = await ask(undefined, withToken(gateway.keys.alice ?? ''));
      expect(answer.json?.result, answer.text).toBeDefined();
      expect((await ask(undefined)).status).toBe(401);
    });

    test('is needed by everyone where it is required, and the metadata stays public', async () => {
      const refused = await ask(undefined, withToken(strict.keys.alice ?? ''), { of: strict });
      expect(refused.status).toBe(401);
      expect(refused.json?.error?.message).toContain('client certificate');
      expect((await ask(agent, withToken(strict.keys.alice ?? ''), { of: strict })).json?.result).toBeDefined();
      const client = createTlsClient({ trusted: web.pem });
      const metadata = await client.send(`${strict.url}/.well-known/oauth-protected-resource${PATH}`, {
        method: 'GET',
      });
      client.close();
      expect(JSON.parse(metadata.text)).toMatchObject({ resource: `${strict.url}${PATH}` });
    });

    test('of one tenant and a token of another are refused together', async () => {
      const visitor = pki.leaf('visitor', { by: partner, names: ['URI:spiffe://partner.example/agent'] });
      expect((await ask(visitor)).json?.result).toBeDefined();
      expect((await recordOf('spiffe://partner.example/agent')).metadata.tenant_uid).toBe('acme');
      const foreign = await ask(visitor, withToken(gateway.keys.alice ?? ''));
      expect(foreign.status).toBe(401);
      expect(lastRefusal()).toContain('the user is of tenant "default", the workload of "acme"');
      const own = await idp.token({ iss: `${idp.url}/acme`, aud: `${gateway.url}${PATH}` });
      expect((await ask(visitor, withToken(own))).json?.result).toBeDefined();
    });

    test('opens legacy sessions that are nobody else’s', async () => {
      const opened = await ask(agent, legacy('initialize'));
      const session = String(opened.headers['mcp-session-id']);
      const list = legacy('tools/list', {}, session);
      expect((await ask(agent, list)).json?.result).toBeDefined();
      expect((await ask(undefined, withToken(gateway.keys.alice ?? '', list))).status).toBe(404);
    });

    test('does not stand in for an Authorization header that cannot be read', async () => {
      for (const authorization of ['Basic YWxpY2U6eA==', 'Bearer', 'Bearer a b']) {
        const request = callOk();
        const answer = await ask(agent, { ...request, headers: { ...request.headers, authorization } });
        expect(answer.status, authorization).toBe(401);
      }
    });
  });

  describe('a certificate is refused with a generic answer and a precise line in the log', () => {
    const rows: readonly (readonly [string, () => Issued, RegExp])[] = [
      [
        'of an unknown authority',
        () => pki.leaf('a', { by: pki.authority('stranger'), names: [`URI:${AGENT}`] }),
        /no valid chain to an authority of "example\.org"/u,
      ],
      [
        'of the authority of another trust domain',
        () => pki.leaf('b', { by: partner, names: [`URI:${AGENT}`] }),
        /no valid chain to an authority of "example\.org"/u,
      ],
      ['that expired', () => pki.leaf('c', { by: root, names: [`URI:${AGENT}`], days: -1 }), /expired/u],
      ['without a SPIFFE id', () => pki.leaf('d', { by: root, names: ['DNS:agent.example'] }), /no SPIFFE id/u],
      [
        'with two',
        () => pki.leaf('e', { by: root, names: [`URI:${AGENT}`, 'URI:spiffe://example.org/admin'] }),
        /2 URIs/u,
      ],
      [
        'of a trust domain that is not configured',
        () => pki.leaf('f', { by: root, names: ['URI:spiffe://elsewhere.example/agent'] }),
        /unknown trust domain "elsewhere\.example"/u,
      ],
      ['that may sign others', () => pki.leaf('g', { by: root, names: [`URI:${AGENT}`], ca: true }), /may sign/u],
      ['that nobody signed', () => pki.leaf('h', { names: [`URI:${AGENT}`] }), /no valid chain/u],
      [
        'whose chain is longer than an authority of it allows',
        () => {
          const narrow = pki.authority('narrow', { by: root, pathLength: 0 });
          const under = pki.authority('under', { by: narrow });
          return pki.leaf('i', { by: under, names: [`URI:${AGENT}`] });
        },
        /TLS found "PATH_LENGTH_EXCEEDED"/u,
      ],
    ];
    test.each(rows)('%s', async (_, certificate, reason) => {
      const before = gateway.log.length;
      const presented = certificate();
      const alone = await ask(presented);
      // Refused although the key beside it is good: what was presented is never ignored.
      const beside = await ask(presented, withToken(gateway.keys.alice ?? ''));
      for (const answer of [alone, beside]) {
        expect(answer.status).toBe(401);
        expect(answer.json?.error?.message).toMatch(/^The credential (is not valid here|has expired)\./u);
        expect(answer.headers['www-authenticate']).toMatch(/error="invalid_token"/u);
      }
      expect(gateway.log.length).toBeGreaterThan(before);
      expect(lastRefusal()).toMatch(reason);
    });

    test('that expires while its connection is open', async () => {
      const client = createTlsClient({ trusted: web.pem, certificate: agent, keepAlive: true });
      expect((await client.send(`${gateway.url}${PATH}`, callOk())).status).toBe(200);
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3 * DAY_MS });
      const answer = await client.send(`${gateway.url}${PATH}`, callOk());
      expect(answer.status).toBe(401);
      expect(lastRefusal()).toContain('expired');
      client.close();
    });
  });

  describe('files are read again when they change', () => {
    test('a new certificate is shown to new connections, and open ones go on', async () => {
      const client = createTlsClient({ trusted: web.pem, certificate: agent, keepAlive: true });
      expect((await client.send(`${gateway.url}${PATH}`, callOk())).shown).toBe('gateway-one');
      const renewed = pki.leaf('gateway-two', { by: web, names: ['IP:127.0.0.1'] });
      put('tls.pem', renewed.chain);
      put('tls.key', renewed.key);
      await until('the new certificate', async () => (await ask(agent)).shown === 'gateway-two');
      const answer = await client.send(`${gateway.url}${PATH}`, callOk());
      expect(answer).toMatchObject({ status: 200, shown: 'gateway-one' });
      client.close();

      put('tls.key', server.key);
      await until('the complaint', () => gateway.log.find(({ setting }) => setting === 'tls'));
      expect(gateway.log.findLast(({ setting }) => setting === 'tls')).toMatchObject({
        level: 'warn',
        reason: expect.stringContaining('does not belong to the key'),
      });
      expect(await ask(agent)).toMatchObject({ status: 200, shown: 'gateway-two' });
      put('tls.pem', server.chain);
      await until('the old certificate', async () => (await ask(agent)).shown === 'gateway-one');
    });

    test('a new authority is believed and an old one no longer, on open connections too; half a file changes nothing', async () => {
      const next = pki.authority('next');
      const late = pki.leaf('late', { by: next, names: [`URI:${AGENT}`] });
      const client = createTlsClient({ trusted: web.pem, certificate: agent, keepAlive: true });
      expect((await client.send(`${gateway.url}${PATH}`, callOk())).status).toBe(200);
      expect((await ask(late)).status).toBe(401);

      put('example.pem', root.pem + next.pem);
      await until('the new authority', async () => (await ask(late)).status === 200);
      expect((await client.send(`${gateway.url}${PATH}`, callOk())).status).toBe(200);

      const complaints = (): number => gateway.log.filter(({ setting }) => setting !== undefined).length;
      const before = complaints();
      put('example.pem', next.pem.slice(0, 300));
      await until('the complaint', () => complaints() > before);
      expect((await ask(late)).status).toBe(200);

      put('example.pem', next.pem);
      await until('the end of the old authority', async () => (await ask(agent)).status === 401);
      expect((await client.send(`${gateway.url}${PATH}`, callOk())).status).toBe(401);
      put('example.pem', root.pem);
      await until('the old authority', async () => (await ask(agent)).status === 200);
      client.close();
    });
  });

  describe('the listener', () => {
    test('is https for clients, and tells of itself so', () => {
      expect(gateway.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/u);
    });

    test('speaks nothing older than TLS 1.2, and no plain HTTP', async () => {
      expect((await ask(agent, callOk(), { maxVersion: 'TLSv1.2' })).status).toBe(200);
      await expect(ask(agent, callOk(), { maxVersion: 'TLSv1.1' })).rejects.toThrow(/protocol/u);
      const socket = connectTcp(Number(new URL(gateway.url).port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write('GET /mcp HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(socket, 'close');
      await until('the line about it', () =>
        gateway.log.find(
          ({ message, reason }) => message === 'a TLS handshake failed' && reason === 'ERR_SSL_HTTP_REQUEST',
        ),
      );
    });

    test('ignores X-Forwarded-Client-Cert where no proxy is configured', async () => {
      const request = callOk();
      const headers = { ...request.headers, 'x-forwarded-client-cert': `URI=${AGENT}` };
      expect((await ask(undefined, { ...request, headers })).status).toBe(401);
      expect((await ask(undefined, withToken(gateway.keys.alice ?? '', { ...request, headers }))).status).toBe(200);
      for (const { headers: seen } of upstream.seen) expect(seen['x-forwarded-client-cert']).toBeUndefined();
    });

    test('closes in time although somebody does not finish shaking hands', async () => {
      const short = await startTestGateway({ yaml: configured('optional') });
      const socket = connectTcp(Number(new URL(short.url).port), '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      const closed = once(socket, 'close');
      await Promise.all([short.close(), closed]);
    });

    test('does not start with files that cannot be used, and says which', async () => {
      put('other.key', agent.key);
      const yaml = configured('off').replace('tls.key', 'other.key');
      await expect(startTestGateway({ yaml })).rejects.toThrow(/tls\.pem does not belong to the key/u);
      await expect(startTestGateway({ yaml: configured('off').replace('example.pem', 'nowhere.pem') })).rejects.toThrow(
        /example\.org: .*nowhere\.pem does not exist/u,
      );
    });
  });

  test('modern lists work the same over TLS', async () => {
    const answer = await ask(agent, modern('tools/list'));
    expect(answer.json?.result).toBeDefined();
  });
});
