/** What TLS adds to the record: handshakes that come to nothing, certificates of callers, and material that is replaced. */

import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createPki, hasOpenssl, type Issued, type Pki } from '../packages/gateway/src/authn/certificates.fixture.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { modern } from './harness/http.ts';
import { until } from './harness/until.ts';
import { createTlsClient } from './identity/tls-client.ts';

const AGENT = 'spiffe://example.org/agent';

type Recorded = {
  readonly unmapped: Readonly<Record<string, unknown>>;
  readonly status_detail?: string;
  readonly status_code?: string;
};

if (!hasOpenssl) process.stderr.write('SKIPPED: what TLS adds to the record needs the openssl command.\n');

describe.skipIf(!hasOpenssl)('over TLS', () => {
  let pki: Pki;
  let files: string;
  let gateway: TestGateway;
  let root: Issued;
  let web: Issued;

  const put = (name: string, text: string): void => {
    const file = path.join(files, name);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  const found = (what: string, fits: (record: Recorded) => boolean): Promise<Recorded> =>
    until(what, () => (gateway.records() as unknown as readonly Recorded[]).find(fits));
  const serverCertificate = (): Issued => pki.leaf('gateway', { by: web, names: ['IP:127.0.0.1'] });

  beforeAll(async () => {
    pki = createPki();
    files = mkdtempSync(path.join(tmpdir(), 'sallyport-tls-events-'));
    root = pki.authority('root');
    web = pki.authority('web');
    const server = serverCertificate();
    put('tls.pem', server.chain);
    put('tls.key', server.key);
    put('bundle.pem', root.pem);
    gateway = await startTestGateway({
      yaml: [
        '  workloads:',
        `    trustDomains: [{ name: example.org, bundle: "${files}/bundle.pem" }]`,
        `tls: { certificate: "${files}/tls.pem", key: "${files}/tls.key", clientCertificates: optional }`,
      ].join('\n'),
    });
  }, 60_000);

  afterAll(async () => {
    await gateway?.close();
    pki?.close();
    rmSync(files, { recursive: true, force: true });
  });

  test('a handshake that comes to nothing is recorded with its address', async () => {
    const { port } = new URL(gateway.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.end('GET / HTTP/1.1\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    const record = await found('the handshake', ({ status_code: code }) => code === 'tls-handshake-failed');
    expect(record).toMatchObject({
      class_uid: 6003,
      status: 'Failure',
      src_endpoint: { ip: '127.0.0.1' },
      unmapped: { event: 'refused-early', stage: 'connection' },
    });
  });

  test('a workload is recorded when its certificate is first seen, and one that is not believed with the reason', async () => {
    const ask = async (by: Issued): Promise<number> => {
      const leaf = pki.leaf('agent', { by, names: [`URI:${AGENT}`] });
      const client = createTlsClient({ trusted: web.pem, certificate: leaf });
      try {
        return (await client.send(`${gateway.url}/mcp`, modern('tools/list'))).status;
      } finally {
        client.close();
      }
    };
    expect(await ask(root)).toBe(200);
    expect(await ask(pki.authority('stranger'))).toBe(401);
    expect(await found('the workload', ({ unmapped }) => unmapped['credential'] === 'mtls')).toMatchObject({
      status: 'Success',
      actor: { user: { uid: AGENT, type: 'workload' } },
      auth_protocol: 'X.509-SVID',
    });
    const refused = await found('the stranger', ({ status_detail: why }) => why?.startsWith('certificate') === true);
    expect(refused).toMatchObject({ status_code: 'invalid-credential', unmapped: { credential: 'mtls' } });
  });

  test('a certificate or bundle that is replaced is recorded with both fingerprints, one that cannot be used as refused', async () => {
    const server = serverCertificate();
    put('tls.key', server.key);
    put('tls.pem', server.chain);
    put('bundle.pem', `${root.pem}\n${pki.authority('next').pem}`);
    const of = (operation: string, outcome: string) =>
      found(
        `${operation} ${outcome}`,
        ({ unmapped }) => unmapped['operation'] === operation && unmapped['outcome'] === outcome,
      );
    for (const operation of ['tls/replace', 'trust-bundle/replace']) {
      const { unmapped } = await of(operation, 'ok');
      expect(unmapped['before']).toMatch(/^sha256:[0-9a-f]{64}$/u);
      expect(unmapped['after']).toMatch(/^sha256:[0-9a-f]{64}$/u);
      expect(unmapped['after']).not.toBe(unmapped['before']);
    }
    put('bundle.pem', 'no certificate at all');
    expect(await of('trust-bundle/replace', 'refused')).toMatchObject({ status: 'Failure' });
    expect(JSON.stringify(gateway.records())).not.toContain('PRIVATE KEY');
  }, 30_000);
});
