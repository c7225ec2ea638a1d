/** The rows of bad input: what is sent, and the status, JSON-RPC code and message that it must be answered with. */

import type { TestIssuer } from '../fixtures/issuer.ts';
import { legacy, modern, type HttpRequest } from '../harness/http.ts';

export const ENDPOINT = '/servers/bad/mcp';

/** What a credential is made with. */
export type World = {
  readonly url: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly issuer: TestIssuer;
};

export type Row = {
  readonly what: string;
  readonly path?: string;
  /** Default: alice's key. */
  readonly credential?: (world: World) => string | undefined | Promise<string>;
  readonly request: () => HttpRequest;
  readonly status: number;
  readonly code: number;
  readonly message: RegExp;
  readonly header?: readonly [name: string, value: RegExp];
};

export const callOk = (args: Record<string, unknown> = { text: 'x' }): HttpRequest =>
  modern('tools/call', { name: 'ok', arguments: args });
export const call = (name: string): HttpRequest => modern('tools/call', { name, arguments: {} });

const withHeaders = (request: HttpRequest, headers: Record<string, string | undefined>): HttpRequest => {
  const merged = Object.entries({ ...request.headers, ...headers }).filter(([, value]) => value !== undefined);
  return { ...request, headers: Object.fromEntries(merged) as Record<string, string> };
};

const withBody = (body: string): HttpRequest => ({ ...callOk(), body });

const BODY_START = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok","arguments":';

export const IDENTITY: readonly Row[] = [
  {
    what: 'no credential',
    credential: () => undefined,
    request: callOk,
    status: 401,
    code: -31_401,
    message: /credential is required/u,
    header: [
      'www-authenticate',
      /^Bearer resource_metadata="http:\/\/127\.0\.0\.1:\d+\/\.well-known\/oauth-protected-resource\/servers\/bad\/mcp"$/u,
    ],
  },
  {
    what: 'a key that was never issued',
    credential: () => `sp_${'A'.repeat(43)}`,
    request: callOk,
    status: 401,
    code: -31_401,
    message: /not valid here/u,
    header: ['www-authenticate', /error="invalid_token"/u],
  },
  {
    what: 'a token for another audience',
    credential: ({ issuer }) => issuer.token({ audience: 'https://elsewhere.example/mcp' }),
    request: callOk,
    status: 401,
    code: -31_401,
    message: /another resource/u,
  },
  {
    what: 'an expired token',
    credential: ({ issuer, url }) => issuer.token({ audience: `${url}${ENDPOINT}`, expiresInSeconds: -3600 }),
    request: callOk,
    status: 401,
    code: -31_401,
    message: /expired/u,
  },
];

export const WIRE: readonly Row[] = [
  {
    what: 'malformed JSON',
    request: () => withBody('{"jsonrpc":'),
    status: 400,
    code: -32_700,
    message: /not valid JSON/u,
  },
  {
    what: 'an object with the same key twice',
    request: () => withBody(`${BODY_START}{"text":"a","te\\u0078t":"b"}}}`),
    status: 400,
    code: -32_600,
    message: /text.*twice|twice.*text/u,
  },
  {
    what: 'a number that would not survive',
    request: () => withBody(`${BODY_START}{"text":"a","count":9007199254740993}}}`),
    status: 400,
    code: -32_600,
    message: /params\.arguments\.count.*exactly/u,
  },
  {
    what: 'a batch where none is allowed',
    request: () => withBody('[{"jsonrpc":"2.0","id":1,"method":"ping"}]'),
    status: 400,
    code: -32_600,
    message: /[Bb]atch/u,
  },
  {
    what: 'a missing Mcp-Method',
    request: () => withHeaders(callOk(), { 'mcp-method': undefined }),
    status: 400,
    code: -32_020,
    message: /Mcp-Method/u,
  },
  {
    what: 'an Mcp-Name that differs from the body',
    request: () => withHeaders(callOk(), { 'mcp-name': 'other' }),
    status: 400,
    code: -32_020,
    message: /Mcp-Name/u,
  },
  {
    what: 'a version nobody speaks',
    request: () => {
      const request = callOk();
      const body = String(request.body).replace('2026-07-28', '2031-01-01');
      return withHeaders({ ...request, body }, { 'mcp-protocol-version': '2031-01-01' });
    },
    status: 400,
    code: -32_022,
    message: /2031-01-01|not supported/u,
  },
  {
    what: 'a legacy request without a session',
    request: () => legacy('tools/list'),
    status: 400,
    code: -31_400,
    message: /Mcp-Session-Id/u,
  },
  {
    what: 'a session id of nobody',
    request: () => legacy('tools/list', {}, 'no-such-session'),
    status: 404,
    code: -31_404,
    message: /initialize/u,
  },
  {
    what: 'a body that is too large',
    request: () => callOk({ text: 'x'.repeat(70_000) }),
    status: 413,
    code: -31_413,
    message: /larger/u,
  },
  {
    what: 'a body that is nested too deeply',
    request: () => withBody(`${BODY_START}${'['.repeat(30)}${']'.repeat(30)}}}`),
    status: 400,
    code: -32_600,
    message: /deep/u,
  },
  {
    what: 'another content type',
    request: () => withHeaders(callOk(), { 'content-type': 'text/plain' }),
    status: 415,
    code: -31_415,
    message: /application\/json/u,
  },
  {
    what: 'a web origin that nobody allowed',
    request: () => withHeaders(callOk(), { origin: 'https://evil.example' }),
    status: 403,
    code: -31_403,
    message: /origin/u,
  },
  {
    what: 'another host (DNS rebinding)',
    request: () => withHeaders(callOk(), { host: 'evil.example' }),
    status: 403,
    code: -31_403,
    message: /[Hh]ost/u,
  },
];

export const NAMES: readonly Row[] = [
  {
    what: 'an unknown server',
    path: '/servers/nope/mcp',
    request: callOk,
    status: 404,
    code: -31_404,
    message: /no such server/u,
  },
  { what: 'an unknown tool', request: () => call('okk'), status: 200, code: -32_602, message: /"okk".*"ok"/u },
  {
    what: 'an unknown resource',
    request: () => modern('resources/read', { uri: 'note://two' }),
    status: 200,
    code: -32_602,
    message: /not found/u,
  },
  {
    what: 'an unknown method',
    request: () => modern('tools/destroy'),
    status: 404,
    code: -32_601,
    message: /tools\/destroy|not known/u,
  },
  {
    what: 'a call that is too fast',
    path: '/servers/gone/mcp',
    credential: ({ keys }) => keys.bob,
    request: callOk,
    status: 429,
    code: -31_429,
    message: /2\/hour.*Try again in \d+ s/u,
    header: ['retry-after', /^\d+$/u],
  },
];

export const UPSTREAM: readonly Row[] = [
  {
    what: 'a server that is down',
    path: '/servers/gone/mcp',
    request: callOk,
    status: 200,
    code: -31_502,
    message: /gone.*cannot be reached|cannot be reached.*gone/u,
  },
  {
    what: 'a server that hangs',
    request: () => call('hang'),
    status: 200,
    code: -31_504,
    message: /bad.*4000 ms|in time/u,
  },
  {
    what: 'a server that answers garbage',
    request: () => call('garbage'),
    status: 200,
    code: -31_502,
    message: /no MCP answer/u,
  },
  {
    what: 'a server that answers HTML',
    request: () => call('html'),
    status: 200,
    code: -31_502,
    message: /status 502/u,
  },
  {
    what: 'a server that breaks off mid-stream',
    request: () => call('half'),
    status: 200,
    code: -31_502,
    message: /ended/u,
  },
  {
    what: 'a server that answers somebody else',
    request: () => call('stranger'),
    status: 200,
    code: -31_502,
    message: /not asked/u,
  },
  {
    what: 'a server that refuses our credential',
    request: () => call('unauthorized'),
    status: 200,
    code: -31_502,
    message: /credential/u,
  },
  {
    what: 'a process that dies',
    path: '/servers/child/mcp',
    request: () => call('die'),
    status: 200,
    code: -31_502,
    message: /code 3.*out of memory/u,
  },
  {
    what: 'a process that hangs',
    path: '/servers/child/mcp',
    request: () => call('hang'),
    status: 200,
    code: -31_504,
    message: /in time|4000 ms/u,
  },
];
