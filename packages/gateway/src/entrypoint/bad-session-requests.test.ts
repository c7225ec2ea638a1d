import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Row } from './bad-requests.fixtures.ts';
import { BAD_REQUEST_LIMITS } from './bad-requests.fixtures.ts';
import type { Running, Sent } from './entrypoint.fixtures.ts';
import { initializeBody, legacyBody, openSession, send, start } from './entrypoint.fixtures.ts';

let running: Running;

beforeAll(async () => {
  running = await start(undefined, { limits: BAD_REQUEST_LIMITS });
});

afterAll(() => running.entrypoint.close(0));

describe('a bad request within a session gets a clear error', () => {
  const rows: readonly (Row & { readonly revision: string })[] = [
    {
      name: 'an unsupported version header',
      revision: '2025-11-25',
      sent: { headers: { 'mcp-protocol-version': '1999-01-01' }, body: legacyBody('tools/list') },
      status: 400,
      code: -32022,
      reason: 'unsupported-version',
      message: /"1999-01-01" is not supported/,
    },
    {
      name: 'a batch in a revision without batches',
      revision: '2025-06-18',
      sent: { body: [legacyBody('ping')] },
      status: 400,
      code: -32600,
      reason: 'batch-refused',
      message: /^Batches are not allowed in this protocol revision/,
    },
    {
      name: 'a batch that is too long',
      revision: '2025-03-26',
      sent: { body: [1, 2, 3, 4].map((id) => legacyBody('ping', {}, id)) },
      status: 400,
      code: -32600,
      reason: 'batch-refused',
      message: /holds 4 messages; at most 3/,
    },
    {
      name: 'an empty batch',
      revision: '2025-03-26',
      sent: { body: [] },
      status: 400,
      code: -32600,
      reason: 'invalid-request',
      message: 'The batch is empty.',
    },
    {
      name: 'the session of another endpoint',
      revision: '2025-11-25',
      sent: { path: '/servers/files/mcp', body: legacyBody('tools/list') },
      status: 404,
      code: -31404,
      reason: 'unknown-session',
      message: /^The session is unknown or has ended/,
    },
    {
      name: 'the session of another caller',
      revision: '2025-11-25',
      sent: { headers: { authorization: 'Bearer bob-key' }, body: legacyBody('tools/list') },
      status: 404,
      code: -31404,
      reason: 'unknown-session',
      message: /^The session is unknown or has ended/,
    },
    {
      name: 'no credential, for a session is none',
      revision: '2025-11-25',
      sent: { headers: { authorization: undefined }, body: legacyBody('tools/list') },
      status: 401,
      code: -31401,
      reason: 'unauthenticated',
      message: /^A credential is required/,
    },
    {
      name: 'parameters of the wrong type',
      revision: '2025-11-25',
      sent: { body: legacyBody('tools/call', { name: 7 }) },
      status: 200,
      code: -32602,
      reason: 'invalid-params',
      message: /name/,
    },
  ];

  test.each(rows)('$name: $status $code $reason', async ({ revision, sent, status, code, reason, message }) => {
    const session = await openSession(running.port, revision);
    const answer = await send(running.port, { ...sent, headers: { ...session, ...sent.headers } });
    expect(answer.status).toBe(status);
    const body: unknown = JSON.parse(answer.text);
    expect(body).toMatchObject({ error: { code, message: expect.stringMatching(message), data: { reason } } });
  });

  test('an altered, an expired and a foreign session id get the same answer, but for the request id', async () => {
    const session = await openSession(running.port);
    const id = session['mcp-session-id'];
    const ask = (headers: NonNullable<Sent['headers']>): Promise<{ text: string }> =>
      send(running.port, { headers: { ...session, ...headers }, body: legacyBody('tools/list') });
    const altered = await ask({ 'mcp-session-id': `${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}` });
    const foreign = await ask({ authorization: 'Bearer bob-key' });
    running.clock.nowMs += 24 * 60 * 60 * 1000;
    const expired = await ask({});
    const bodies = [altered, foreign, expired].map(({ text }) => text.replace(/"requestId":"[^"]+"/, ''));
    expect(new Set(bodies).size).toBe(1);
  });

  test('a client that says too much of itself is told so', async () => {
    const own = await start();
    const body = initializeBody('2025-11-25');
    const capabilities = { roots: { padding: 'x'.repeat(3_000) } };
    const params = { protocolVersion: '2025-11-25', clientInfo: { name: 'a', version: '1' }, capabilities };
    const answer = await send(own.port, { body: { ...body, params } });
    expect(answer.text).toContain('too large for a session id');
    expect(answer.headers['mcp-session-id']).toBeUndefined();
    await own.entrypoint.close(0);
  });
});
