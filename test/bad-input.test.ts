/**
 * Bad input gets a clear error, and nothing is lost: each row with its status, JSON-RPC code and message. An HTTP error
 * status is for what is wrong with the exchange; what became of a call behind us is told with 200, as MCP clients expect.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { call, callOk, ENDPOINT, IDENTITY, NAMES, UPSTREAM, WIRE, type Row } from './bad-input/rows.ts';
import { startIssuer, type TestIssuer } from './fixtures/issuer.ts';
import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { scriptPath } from './harness/child.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, send, type HttpAnswer, type HttpRequest } from './harness/http.ts';

let upstream: MisbehavingServer;
let gone: MisbehavingServer;
let issuer: TestIssuer;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startMisbehavingServer();
  gone = await startMisbehavingServer();
  issuer = await startIssuer();
  const allow = 'allow: [{ group: engineering, tools: ["*"], resources: ["*"] }]';
  gateway = await startTestGateway({
    users: { alice: ['engineering'], bob: ['engineering'], mallory: [] },
    yaml: [
      `  issuers: [{ issuer: "${issuer.url}" }]`,
      'servers:',
      `  bad: { url: "${upstream.url}", timeout: 4s, breaker: off, retries: 0, ${allow} }`,
      `  gone: { url: "${gone.url}", timeout: 4s, ${allow} }`,
      `  child: { command: ["${process.execPath}", "${scriptPath('fixtures/misbehaving-stdio.ts')}"], timeout: 4s, ${allow} }`,
      'limits: [{ per: principal, server: gone, rate: 2/hour, burst: 2 }]',
      'requests: { maxBody: 64KiB, maxDepth: 20 }',
    ].join('\n'),
  });
  await gone.close();
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all([upstream?.close(), issuer?.close()]);
});

async function sendRow(row: Row): Promise<HttpAnswer> {
  const credential =
    row.credential === undefined
      ? gateway.keys.alice
      : await row.credential({ url: gateway.url, keys: gateway.keys, issuer });
  const request = row.request();
  const authorization = credential === undefined ? {} : bearer(credential);
  return send(`${gateway.url}${row.path ?? ENDPOINT}`, {
    ...request,
    headers: { ...request.headers, ...authorization },
  });
}

function describeRows(title: string, rows: readonly Row[], before?: (row: Row) => Promise<unknown>): void {
  describe(title, () => {
    for (const row of rows) {
      test(`${row.what}: ${row.status}, ${row.code}`, async () => {
        await before?.(row);
        const answer = await sendRow(row);
        expect({ status: answer.status, code: answer.json?.error?.code }, answer.text).toEqual({
          status: row.status,
          code: row.code,
        });
        expect(answer.json?.error?.message).toMatch(row.message);
        expect(answer.headers['content-type']).toMatch(/^application\/json/u);
        if (row.header !== undefined) expect(answer.headers[row.header[0]]).toMatch(row.header[1]);
        expect(answer.text).not.toContain('sp_');
      });
    }
  });
}

describeRows('who is calling', IDENTITY);
describeRows('what is on the wire', WIRE);
describeRows('what is asked for', NAMES, async (row) => {
  if (row.code !== -31_429) return;
  await sendRow(row);
  await sendRow(row);
});
describeRows('what the server does', UPSTREAM);

describe('arguments that break the schema', () => {
  test('name the field, what was expected, and the nearest name', async () => {
    const before = upstream.seen.length;
    const answer = await sendRow({ ...(NAMES[1] as Row), request: () => callOk({ txt: 'x', count: 1.5 }) });
    expect(answer.status).toBe(200);
    const result = answer.json?.result as { isError: boolean; content: { text: string }[] };
    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toMatch(/text.*required/u);
    expect(result.content[0]?.text).toMatch(/txt/u);
    expect(result.content[0]?.text).toMatch(/count.*integer/u);
    expect(upstream.seen.length).toBe(before);
  });
});

describe('what a caller may not see', () => {
  const asMallory = async (path: string, request: HttpRequest): Promise<HttpAnswer> =>
    send(`${gateway.url}${path}`, {
      ...request,
      headers: { ...request.headers, ...bearer(gateway.keys.mallory ?? '') },
    });
  const withoutVariableParts = (answer: HttpAnswer): string => answer.text.replaceAll(/[0-9a-f-]{36}/gu, '<id>');

  test('a hidden server and an unknown one are the same answer', async () => {
    const hidden = await asMallory('/servers/bad/mcp', callOk());
    const unknown = await asMallory('/servers/nope/mcp', callOk());
    expect(hidden.status).toBe(404);
    expect(withoutVariableParts(hidden)).toBe(withoutVariableParts(unknown));
  });

  test('a hidden tool and an unknown one are the same answer on the aggregate endpoint', async () => {
    const hidden = await asMallory('/mcp', call('bad_ok'));
    const unknown = await asMallory('/mcp', call('bad_zz'));
    expect(hidden.status).toBe(200);
    expect(withoutVariableParts(hidden)).toBe(withoutVariableParts(unknown).replace('bad_zz', 'bad_ok'));
  });
});

test('every refusal is in the record, and no credential is', async () => {
  await gateway.gateway.close(2_000);
  const records = gateway.records();
  const text = JSON.stringify(records);
  expect(records.length).toBeGreaterThan(IDENTITY.length + NAMES.length + UPSTREAM.length);
  for (const key of Object.values(gateway.keys)) expect(text).not.toContain(key);
  expect(JSON.stringify(gateway.log)).not.toContain('sp_');
});

test('a gateway credential never reaches a server', () => {
  expect(upstream.seen.length).toBeGreaterThan(0);
  for (const { headers } of upstream.seen) expect(headers.authorization).toBeUndefined();
});
