/** What a proxy of the mesh says of its callers, over a plain listener; nobody else's word is taken. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createPki, hasOpenssl, type Pki } from '../../packages/gateway/src/authn/certificates.fixture.ts';
import { startMisbehavingServer, type MisbehavingServer } from '../fixtures/misbehaving-http.ts';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';
import { bearer, legacy, send, type HttpAnswer, type HttpRequest } from '../harness/http.ts';
import { callOk } from './world.ts';

const AGENT = 'spiffe://example.org/ns/prod/agent';
const PATH = '/servers/plain/mcp';
/** The whole of 127.0.0.0/8 is this machine, so a test can come from two addresses. */
const PROXY = '127.0.0.2';

describe.skipIf(!hasOpenssl || process.platform !== 'linux')('X-Forwarded-Client-Cert', () => {
  let pki: Pki;
  let files: string;
  let upstream: MisbehavingServer;
  let gateway: TestGateway;

  beforeAll(async () => {
    upstream = await startMisbehavingServer();
    pki = createPki();
    files = mkdtempSync(path.join(tmpdir(), 'sallyport-mesh-'));
    writeFileSync(path.join(files, 'bundle.pem'), pki.authority('root').pem);
    gateway = await startTestGateway({
      yaml: [
        '  workloads:',
        `    trustDomains: [{ name: example.org, bundle: "${files}/bundle.pem" }]`,
        `    mesh: { proxies: [${PROXY}/32] }`,
        'servers:',
        '  plain:',
        `    url: "${upstream.url}"`,
        '    tools: { "*": { readOnly: true, risk: low } }',
        '    allow: [{ anyone: true, tools: [ok] }]',
      ].join('\n'),
    });
  });

  afterAll(async () => {
    await gateway?.close();
    await upstream?.close();
    pki?.close();
    if (files !== undefined) rmSync(files, { recursive: true, force: true });
  });

  const ask = (
    from: string,
    headers: Readonly<Record<string, string | string[]>>,
    request: HttpRequest = callOk(),
  ): Promise<HttpAnswer> =>
    send(`${gateway.url}${PATH}`, { ...request, from, headers: { ...request.headers, ...headers } });

  const vouching = {
    'x-forwarded-client-cert': `By=spiffe://example.org/proxy;Hash=${'00ff'.repeat(16)};URI=${AGENT}`,
  };

  test('from the proxy makes its caller the principal, in both eras', async () => {
    expect((await ask(PROXY, vouching)).json?.result).toBeDefined();
    const opened = await ask(PROXY, vouching, legacy('initialize'));
    const session = String(opened.headers['mcp-session-id']);
    const list = legacy('tools/list', {}, session);
    expect((await ask(PROXY, vouching, list)).json?.result).toBeDefined();
    const other = { 'x-forwarded-client-cert': 'URI=spiffe://example.org/ns/prod/other' };
    expect((await ask(PROXY, other, list)).status).toBe(404);
    await expect
      .poll(() => JSON.stringify(gateway.records()))
      .toContain(`"credential":"mesh","workload":{"uid":"${AGENT}","credential":"mesh"}`);
  });

  test('from anyone else is as if it were not there, and reaches no server', async () => {
    expect((await ask('127.0.0.1', vouching)).status).toBe(401);
    const user = { ...vouching, ...bearer(gateway.keys.alice ?? '') };
    expect((await ask('127.0.0.1', user)).json?.result).toBeDefined();
    const broken = { ...bearer(gateway.keys.alice ?? ''), 'x-forwarded-client-cert': ['one', 'two'] };
    expect((await ask('127.0.0.1', broken)).json?.result).toBeDefined();
    for (const { headers } of upstream.seen) expect(headers['x-forwarded-client-cert']).toBeUndefined();
  });

  test.each<[string, string | string[]]>([
    ['that is no list of pairs', 'nonsense'],
    ['with two elements', `URI=spiffe://example.org/one,URI=${AGENT}`],
    ['that came twice', [`URI=${AGENT}`, `URI=${AGENT}`]],
    ['with two URIs', `URI=${AGENT};URI=spiffe://example.org/admin`],
    ['without a URI', `Hash=${'00ff'.repeat(16)};Subject="CN=agent"`],
    ['of a trust domain that is not configured', 'URI=spiffe://elsewhere.example/agent'],
  ])('from the proxy is refused %s, even beside a good key', async (_, header) => {
    const answer = await ask(PROXY, { 'x-forwarded-client-cert': header, ...bearer(gateway.keys.alice ?? '') });
    expect(answer.status).toBe(401);
    expect(answer.json?.error?.message).toMatch(/^The credential is not valid here/u);
    expect(gateway.log.findLast(({ message }) => message === 'a credential was refused')).toMatchObject({
      reason: expect.stringContaining('forwarded certificate'),
      address: PROXY,
    });
  });

  test('that is missing leaves the user alone', async () => {
    expect((await ask(PROXY, bearer(gateway.keys.alice ?? ''))).json?.result).toBeDefined();
    expect((await ask(PROXY, {})).status).toBe(401);
  });
});
