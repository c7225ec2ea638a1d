/**
 * The whole story of four eyes: alice's client asks for a call that policy lets through only with a database administrator's
 * word, carol logs in with her browser, reads what will happen and approves; then the call is made, once.
 */

import { existsSync } from 'node:fs';

import { chromium } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { startIdentityProvider, type IdentityProvider } from '../packages/gateway/src/dev/identity-provider.ts';
import { tokenIn, Visitor } from '../packages/gateway/src/entrypoint/desk.fixture.ts';
import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';

const CHROMIUM = '/usr/bin/chromium';
const here = existsSync(CHROMIUM);
if (!here) process.stderr.write(`SKIPPED: no approval in a real browser, because ${CHROMIUM} is not there.\n`);

const POLICIES = `
@id("ledger-writes") @approval("group:dba") @description("The ledger is changed by two people, never by one.")
permit (principal in Group::"staff", action == Action::"callTool", resource in Server::"ledger");
`;

let upstream: MisbehavingServer;
let provider: IdentityProvider;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startMisbehavingServer();
  provider = await startIdentityProvider({ port: 0, publicUrl: () => gateway?.url });
  gateway = await startTestGateway({
    users: { alice: ['staff'], dora: ['dba'] },
    policies: POLICIES,
    yaml: [
      '  issuers:',
      `    - { issuer: "${provider.issuer}", login: { clientId: sallyport-gateway, scopes: [profile, groups] } }`,
      'approvals: { wait: 1s }',
      'servers:',
      `  ledger: { url: "${upstream.url}", tools: { "*": { risk: high } } }`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all([provider?.close(), upstream?.close()]);
});

beforeEach(() => void upstream.seen.splice(0));

const made = (): number => upstream.seen.filter(({ rpc }) => rpc.method === 'tools/call').length;

const call = (text: string): Promise<HttpAnswer> => {
  const request = modern('tools/call', { name: 'ok', arguments: { text } });
  return send(`${gateway.url}/servers/ledger/mcp`, {
    ...request,
    headers: { ...request.headers, ...bearer(gateway.keys.alice ?? '') },
  });
};

/** Where the answer sends a person. */
async function linkFor(text: string): Promise<string> {
  const answer = await call(text);
  const link = /https?:\/\/[^\s"\\]+\/approvals\/[\w-]+/u.exec(answer.text)?.[0];
  if (link === undefined) throw new Error(`no link in ${answer.text}`);
  return link;
}

async function expectMadeOnce(text: string): Promise<void> {
  expect((await call(text)).json?.result, 'the approved call').toMatchObject({ content: [{ text: 'fine' }] });
  expect(made()).toBe(1);
  expect((await call(text)).text, 'the same call again').toContain('/approvals/');
  expect(made()).toBe(1);
}

describe('a call that needs a second pair of eyes', () => {
  test('is made once when somebody else has approved it in the browser, and the record tells all of it', async () => {
    const link = await linkFor('pay the invoice');
    expect(made()).toBe(0);
    const visitor = new Visitor();
    const page = await visitor.logIn('carol', link);
    for (const text of [
      'alice',
      'ledger/ok',
      'pay the invoice',
      'ledger-writes',
      'The ledger is changed by two people',
    ]) {
      expect(page.text).toContain(text);
    }
    const next = await visitor.post(link, { verdict: 'approved', token: tokenIn(page) });
    expect(next.text).toContain('alice can make this call now');
    await expectMadeOnce('pay the invoice');
    expect((await visitor.ask(link)).text).toContain('Approved and used');

    const id = link.split('/').at(-1) ?? '';
    const recorded = () => gateway.records().filter((record) => JSON.stringify(record).includes(id));
    await expect.poll(() => recorded().length).toBeGreaterThanOrEqual(5);
    const text = JSON.stringify(recorded());
    expect(text).toContain('builtin.decide-approval');
    expect(text).toContain('"how":"browser"');
    expect(JSON.stringify([gateway.records(), gateway.log])).not.toContain('pay the invoice');
  });

  test('is not approved by a key when its risk is high, and never by the one who asked', async () => {
    const link = await linkFor('shred the ledger');
    const path = `${gateway.url}/api/v1/approvals/${link.split('/').at(-1) ?? ''}/decision`;
    const decide = (name: string): Promise<HttpAnswer> =>
      send(path, {
        headers: { 'content-type': 'application/json', ...bearer(gateway.keys[name] ?? '') },
        body: '{"verdict":"approved"}',
      });
    expect(JSON.parse((await decide('dora')).text)).toMatchObject({
      status: 403,
      fault: 'needs-browser',
      approvalUrl: link,
    });
    expect(JSON.parse((await decide('alice')).text)).toMatchObject({ status: 403, fault: 'own-request' });
    const other = await new Visitor().logIn('bob', link);
    expect(other.status).toBe(404);
    await call('shred the ledger');
    expect(made()).toBe(0);
  });

  test('is foretold by the pre-flight question', async () => {
    const answer = await send(`${gateway.url}/access/v1/evaluation`, {
      headers: { 'content-type': 'application/json', ...bearer(gateway.keys.alice ?? '') },
      body: JSON.stringify({
        action: { name: 'tools/call' },
        resource: { type: 'tool', id: 'ledger/ok' },
        context: { arguments: { text: 'x' } },
      }),
    });
    expect(JSON.parse(answer.text)).toEqual({ decision: true, context: { approvals: ['group:dba'] } });
    expect(made()).toBe(0);
  });

  test.skipIf(!here)(
    'is approved in Chromium, by a person who sees exactly what will happen',
    async () => {
      const link = await linkFor('close the year\u202e');
      const browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
        timeout: 20_000,
      });
      try {
        const page = await browser.newPage();
        page.setDefaultTimeout(10_000);
        await page.goto(link);
        await page.fill('#name', 'carol');
        await page.fill('#password', 'carol');
        await page.click('form[action$="/login"] button');
        await page.waitForURL(link);
        expect(await page.textContent('main')).toContain('close the yearU+202E');
        await page.click('text=Approve');
        await page.waitForSelector('.notice.good');
        await expectMadeOnce('close the year\u202e');
        await page.reload();
        expect(await page.textContent('.notice')).toContain('Approved and used');
      } finally {
        await browser.close();
      }
    },
    60_000,
  );
});
