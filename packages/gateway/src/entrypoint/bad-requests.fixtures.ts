/** The table of bad requests: what is sent, and the status, JSON-RPC code, reason and message that come back. */

import type { FailureCode } from '../model/failure.ts';
import type { Sent } from './entrypoint.fixtures.ts';
import { legacyBody, modernBody, modernCall, modernHeaders } from './entrypoint.fixtures.ts';

/** What the table expects the entrypoint to be started with. */
export const BAD_REQUEST_LIMITS = {
  maxBodyBytes: 2_000,
  maxDepth: 8,
  maxBatch: 3,
  maxHeaderCount: 40,
  maxHeaderBytes: 4_096,
};

export type Row = {
  readonly name: string;
  readonly sent: Sent;
  readonly status: number;
  readonly code: number;
  readonly reason: FailureCode;
  readonly message: string | RegExp;
};

/** A modern call with other headers. */
export const withHeaders = (headers: NonNullable<Sent['headers']>): Sent => {
  const call = modernCall();
  return { ...call, headers: { ...call.headers, ...headers } };
};

const deep = `${'['.repeat(9)}${']'.repeat(9)}`;

export const BAD_REQUESTS: readonly Row[] = [
  {
    name: 'no credential',
    sent: withHeaders({ authorization: undefined }),
    status: 401,
    code: -31401,
    reason: 'unauthenticated',
    message: 'A credential is required. Send "Authorization: Bearer <token or API key>".',
  },
  {
    name: 'a credential of another scheme',
    sent: withHeaders({ authorization: 'Basic YWxpY2U6YWxpY2U=' }),
    status: 401,
    code: -31401,
    reason: 'unauthenticated',
    message: /^A credential is required/,
  },
  {
    name: 'a wrong credential',
    sent: withHeaders({ authorization: 'Bearer nobody-key' }),
    status: 401,
    code: -31401,
    reason: 'invalid-credential',
    message: /^The credential is not valid here/,
  },
  {
    name: 'another host',
    sent: withHeaders({ host: 'evil.example.com' }),
    status: 403,
    code: -31403,
    reason: 'host-refused',
    message: /^The Host header names another host/,
  },
  {
    name: 'a host that hides another in its query',
    sent: withHeaders({ host: 'evil.example.com?gw.example.com' }),
    status: 403,
    code: -31403,
    reason: 'host-refused',
    message: /^The Host header names another host/,
  },
  {
    name: 'a host that hides another in its fragment',
    sent: withHeaders({ host: 'evil.example.com#gw.example.com' }),
    status: 403,
    code: -31403,
    reason: 'host-refused',
    message: /^The Host header names another host/,
  },
  {
    name: 'a web origin that is not on the list',
    sent: withHeaders({ origin: 'https://evil.example.com' }),
    status: 403,
    code: -31403,
    reason: 'origin-refused',
    message: /^Requests from this web origin are not allowed/,
  },
  {
    name: 'the origin of a sandboxed page',
    sent: withHeaders({ origin: 'null' }),
    status: 403,
    code: -31403,
    reason: 'origin-refused',
    message: /^Requests from this web origin are not allowed/,
  },
  {
    name: 'a path where nothing is',
    sent: { ...modernCall(), path: '/' },
    status: 404,
    code: -31404,
    reason: 'not-found',
    message: 'There is nothing at this path. MCP endpoints are /mcp and /servers/{id}/mcp.',
  },
  {
    name: 'a server id that cannot be one',
    sent: { ...modernCall(), path: '/servers/no_underscore/mcp' },
    status: 404,
    code: -31404,
    reason: 'not-found',
    message: /^There is nothing at this path/,
  },
  {
    name: 'GET without a session',
    sent: { method: 'GET' },
    status: 405,
    code: -31405,
    reason: 'method-not-allowed',
    message: /^This HTTP method is not offered here/,
  },
  {
    name: 'DELETE without a session',
    sent: { method: 'DELETE' },
    status: 405,
    code: -31405,
    reason: 'method-not-allowed',
    message: /^This HTTP method is not offered here/,
  },
  {
    name: 'an HTTP method that we do not know',
    sent: { method: 'PUT', body: {} },
    status: 405,
    code: -31405,
    reason: 'method-not-allowed',
    message: /^This HTTP method is not offered here/,
  },
  {
    name: 'an Accept header without event streams',
    sent: withHeaders({ accept: 'application/json' }),
    status: 406,
    code: -31406,
    reason: 'not-acceptable',
    message: 'Accept must list application/json and text/event-stream.',
  },
  {
    name: 'a body of another type',
    sent: withHeaders({ 'content-type': 'text/plain' }),
    status: 415,
    code: -31415,
    reason: 'unsupported-media-type',
    message: 'Content-Type must be application/json.',
  },
  {
    name: 'a compressed body',
    sent: withHeaders({ 'content-encoding': 'gzip' }),
    status: 415,
    code: -31415,
    reason: 'unsupported-media-type',
    message: 'Compressed bodies are not accepted. Send the JSON as it is.',
  },
  {
    name: 'a body that is too large, and says so',
    sent: { body: legacyBody('ping', { pad: 'x'.repeat(3_000) }) },
    status: 413,
    code: -31413,
    reason: 'body-too-large',
    message: 'The request body is larger than the 2000 bytes that the gateway accepts.',
  },
  {
    name: 'a body that turns out too large',
    sent: { headers: { 'transfer-encoding': 'chunked' }, body: legacyBody('ping', { pad: 'x'.repeat(100_000) }) },
    status: 413,
    code: -31413,
    reason: 'body-too-large',
    message: /larger than the 2000 bytes/,
  },
  {
    name: 'no body',
    sent: {},
    status: 400,
    code: -32700,
    reason: 'parse-error',
    message: /^The body is not valid JSON/,
  },
  {
    name: 'malformed JSON',
    sent: { body: '{"jsonrpc": "2.0", ' },
    status: 400,
    code: -32700,
    reason: 'parse-error',
    message: /^The body is not valid JSON/,
  },
  {
    name: 'bytes that are no UTF-8',
    sent: { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) },
    status: 400,
    code: -32700,
    reason: 'parse-error',
    message: 'The body is not valid UTF-8.',
  },
  {
    name: 'a key that comes twice',
    sent: { body: '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}' },
    status: 400,
    code: -32600,
    reason: 'duplicate-key',
    message: /method/,
  },
  {
    name: 'a number that JavaScript would change',
    sent: { body: '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":9007199254740993}}' },
    status: 400,
    code: -32600,
    reason: 'unsafe-number',
    message: /params\.n/,
  },
  {
    name: 'JSON that is nested too deeply',
    sent: { body: `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${deep}}}` },
    status: 400,
    code: -32600,
    reason: 'too-deep',
    message: 'The body is nested deeper than 8 levels.',
  },
  {
    name: 'JSON that is no JSON-RPC',
    sent: { body: { hello: 'world' } },
    status: 400,
    code: -32600,
    reason: 'invalid-request',
    message: 'The message must carry "jsonrpc": "2.0".',
  },
  {
    name: 'a batch where there are none',
    sent: { body: [legacyBody('ping')] },
    status: 400,
    code: -32600,
    reason: 'batch-refused',
    message: 'Batches are not allowed in this protocol revision. Send one message per POST.',
  },
  {
    name: 'a legacy request without a session',
    sent: { body: legacyBody('tools/list') },
    status: 400,
    code: -31400,
    reason: 'session-required',
    message: /^Mcp-Session-Id is missing/,
  },
  {
    name: 'a session id that is not ours',
    sent: { headers: { 'mcp-session-id': 'made-up' }, body: legacyBody('tools/list') },
    status: 404,
    code: -31404,
    reason: 'unknown-session',
    message: /^The session is unknown or has ended/,
  },
  {
    name: 'a modern request without its method header',
    sent: { headers: { 'mcp-protocol-version': '2026-07-28' }, body: modernBody('tools/list') },
    status: 400,
    code: -32020,
    reason: 'header-mismatch',
    message: "The Mcp-Method header is missing; send the body's method.",
  },
  {
    name: 'a modern request whose method header differs',
    sent: { headers: modernHeaders('tools/list'), body: modernBody('resources/list') },
    status: 400,
    code: -32020,
    reason: 'header-mismatch',
    message: "The Mcp-Method header differs from the body's method.",
  },
  {
    name: 'a modern request whose name header differs',
    sent: { ...modernCall('echo'), headers: modernHeaders('tools/call', 'other') },
    status: 400,
    code: -32020,
    reason: 'header-mismatch',
    message: 'The Mcp-Name header differs from params.name.',
  },
  {
    name: 'a modern request whose version header differs',
    sent: withHeaders({ 'mcp-protocol-version': '2025-11-25' }),
    status: 400,
    code: -32020,
    reason: 'header-mismatch',
    message: /MCP-Protocol-Version header says "2025-11-25"/,
  },
  {
    name: 'a version that nobody speaks',
    sent: {
      headers: { ...modernHeaders('tools/list'), 'mcp-protocol-version': '2099-01-01' },
      body: modernBody('tools/list', {}, { 'io.modelcontextprotocol/protocolVersion': '2099-01-01' }),
    },
    status: 400,
    code: -32022,
    reason: 'unsupported-version',
    message: /^Protocol version "2099-01-01" is not supported.*2026-07-28/,
  },
  {
    name: 'a modern request without its envelope',
    sent: { headers: modernHeaders('tools/list'), body: legacyBody('tools/list') },
    status: 400,
    code: -32602,
    reason: 'invalid-envelope',
    message: /^params\._meta must carry/,
  },
];
