/**
 * A world in which people's tokens are renewed: a real authorization server whose refresh tokens change with every use, a gate in
 * front of its token endpoint that counts and misbehaves, and a server that takes the tokens of this one alone.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';

import { openAndLogIn } from '../../examples/oauth-login/person.ts';
import type { Grant, GrantIssuer, Renewal } from '../../packages/gateway/src/credential/grant.ts';
import { startIdentityProvider } from '../../packages/gateway/src/dev/identity-provider.ts';
import type { JsonObject } from '../../packages/gateway/src/model/json.ts';
import { Secret } from '../../packages/gateway/src/model/secret.ts';
import {
  DISCOVERED,
  json,
  listen,
  resultOf,
  serveRpc,
  stop,
  type Asked,
  type Cleanups,
} from '../../packages/gateway/src/upstream/testing/http-servers.ts';
import { authorizeUrl, newClient, VERIFIER } from './identity.ts';

/** What the gate does with a refresh: `pass` it on, or be what issuers are on bad days. */
export type Misbehaviour = 'pass' | 'unavailable' | 'garbage' | 'hang' | 'refuse';

export type GrantWorld = {
  readonly issuer: GrantIssuer;
  readonly url: URL;
  /** Refreshes that reached the token endpoint, and revocations. */
  readonly asked: { refreshes: number; revocations: number };
  /** Calls that the server executed, by the subject of the token. */
  readonly executed: string[];
  readonly refused: { count: number };
  gate: Misbehaviour;
  /** How long a refresh takes. */
  gateMs: number;
  /** A person has consented. */
  logIn(person: string): Promise<Grant>;
  /** The server takes this one no more, whatever its issuer says of it. */
  refuse(token: Secret): void;
};

export async function startGrantWorld(cleanups: Cleanups): Promise<GrantWorld> {
  const rejected = new Set<string>();
  const executed: string[] = [];
  const refused = { count: 0 };
  let base = '';
  const provider = await startIdentityProvider({ port: 0, publicUrl: () => base, accessTokenSeconds: 600 });
  cleanups.push(() => provider.close());
  const jwks = createRemoteJWKSet(new URL(`${provider.issuer}/jwks`));
  const respond = async (asked: Asked, response: ServerResponse): Promise<void> => {
    const subject = await takenBy(asked.headers.authorization);
    if (subject === undefined) {
      refused.count += 1;
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
    } else if (asked.method === 'server/discover') {
      json(response, resultOf(asked, DISCOVERED));
    } else {
      executed.push(subject);
      json(response, resultOf(asked, { resultType: 'complete', content: [{ type: 'text', text: subject }] }));
    }
  };
  const upstream = await serveRpc(cleanups, (asked, response) => void respond(asked, response));
  base = upstream.url.origin;
  const takenBy = async (authorization: string | undefined): Promise<string | undefined> => {
    const token = authorization?.replace(/^Bearer /, '') ?? '';
    if (rejected.has(token)) return undefined;
    try {
      const { payload } = await jwtVerify(token, jwks, { audience: upstream.url.href });
      return payload.sub;
    } catch {
      return undefined;
    }
  };
  const gate = await startGate(cleanups, provider.issuer);
  const clientId = await newClient(provider.issuer);
  const world: GrantWorld = {
    issuer: gate.issuer,
    url: upstream.url,
    asked: gate.asked,
    executed,
    refused,
    get gate() {
      return gate.state.mode;
    },
    set gate(mode) {
      gate.state.mode = mode;
    },
    get gateMs() {
      return gate.state.delayMs;
    },
    set gateMs(ms) {
      gate.state.delayMs = ms;
    },
    async logIn(name) {
      const asked = { client_id: clientId, resource: upstream.url.href, scope: 'mcp offline_access' };
      const arrived = await openAndLogIn(authorizeUrl(provider.issuer, asked), { name, password: name });
      const answer = await post(`${provider.issuer}/token`, {
        grant_type: 'authorization_code',
        code: arrived.searchParams.get('code') ?? '',
        code_verifier: VERIFIER,
        redirect_uri: arrived.origin + arrived.pathname,
        client_id: clientId,
      });
      const tokens = tokensOf(answer.body);
      if (tokens === undefined) throw new Error(JSON.stringify(answer));
      return {
        issuer: provider.issuer,
        tokenEndpoint: `${gate.url}/token`,
        revocationEndpoint: `${gate.url}/token/revocation`,
        clientId,
        resource: upstream.url.href,
        scopes: ['mcp', 'offline_access'],
        ...tokens,
      };
    },
    refuse: (token) => void rejected.add(token.expose()),
  };
  return world;
}

type Gate = { readonly state: { mode: Misbehaviour; delayMs: number }; readonly asked: GrantWorld['asked'] };

/** In front of the token endpoint of the real issuer. */
async function startGate(
  cleanups: Cleanups,
  issuer: string,
): Promise<Gate & { readonly url: string; readonly issuer: GrantIssuer }> {
  const state: Gate['state'] = { mode: 'pass', delayMs: 0 };
  const asked = { refreshes: 0, revocations: 0 };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await textOf(request);
    const isRefresh = body.includes('grant_type=refresh_token');
    if (isRefresh) asked.refreshes += 1;
    else asked.revocations += 1;
    if (state.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, state.delayMs));
    if (isRefresh && state.mode === 'hang') return;
    if (isRefresh && state.mode === 'unavailable') return void response.writeHead(503).end('not now');
    if (isRefresh && state.mode === 'garbage') return void response.writeHead(200).end('{"access_token": 5}');
    if (isRefresh && state.mode === 'refuse') {
      return void response.writeHead(400).end('{"error":"invalid_grant"}');
    }
    const passed = await fetch(issuer + (request.url ?? ''), {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
    });
    response.writeHead(passed.status, { 'content-type': 'application/json' }).end(await passed.text());
  };
  const server = createServer((request, response) => void answer(request, response));
  const port = await listen(server);
  cleanups.push(() => stop(server));
  return { url: `http://127.0.0.1:${port}`, state, asked, issuer: testIssuer };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

type Answer = { readonly status: number; readonly body: JsonObject };

async function post(url: string, form: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Answer> {
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form), ...(signal && { signal }) });
  const text = await answer.text();
  const body: JsonObject = text === '' ? {} : JSON.parse(text);
  return { status: answer.status, body };
}

function tokensOf(
  body: JsonObject,
): Pick<Grant, 'accessToken' | 'refreshToken' | 'obtainedAtMs' | 'expiresAtMs'> | undefined {
  const { access_token: access, refresh_token: refresh, expires_in: seconds } = body;
  if (typeof access !== 'string' || typeof seconds !== 'number') return undefined;
  decodeJwt(access);
  const nowMs = Date.now();
  return {
    accessToken: new Secret(access),
    ...(typeof refresh === 'string' ? { refreshToken: new Secret(refresh) } : {}),
    obtainedAtMs: nowMs,
    expiresAtMs: nowMs + seconds * 1000,
  };
}

/** RFC 6749 section 6 and RFC 7009, as far as these tests need them. */
const testIssuer: GrantIssuer = {
  async renew(grant, signal): Promise<Renewal> {
    const { refreshToken, clientId, resource } = grant;
    if (refreshToken === undefined) return { kind: 'refused', why: 'there is no refresh token' };
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken.expose(), client_id: clientId, resource };
    let answer: Answer;
    try {
      answer = await post(grant.tokenEndpoint, form, signal);
    } catch (error) {
      return { kind: 'unavailable', why: String(error) };
    }
    const { status, body } = answer;
    if (status === 400 && body['error'] === 'invalid_grant') return { kind: 'refused', why: 'invalid_grant' };
    const tokens = status === 200 ? tokensOf(body) : undefined;
    if (tokens === undefined) return { kind: 'unavailable', why: `the token endpoint answered with status ${status}` };
    return { kind: 'renewed', grant: { ...grant, ...tokens } };
  },
  async revoke({ revocationEndpoint, refreshToken, accessToken, clientId }, signal) {
    if (revocationEndpoint === undefined) return false;
    const token = (refreshToken ?? accessToken).expose();
    const answer = await fetch(revocationEndpoint, {
      method: 'POST',
      body: new URLSearchParams({ token, client_id: clientId }),
      signal,
    });
    return answer.status === 200;
  },
};
