/** A client of the identity provider, by hand: each request as a test wants it, right or wrong. */

import { createHash, randomBytes } from 'node:crypto';

import { openAndLogIn, type Person } from '../../examples/oauth-login/person.ts';

/** The gateway's; nothing listens there. */
export const PUBLIC_URL = 'http://127.0.0.1:8080';
export const RESOURCE = `${PUBLIC_URL}/mcp`;
export const REDIRECT = 'http://127.0.0.1:5555/callback';

export const alice: Person = { name: 'alice', password: 'alice' };

export type Json = Record<string, unknown>;

/** Parameters of an authorization request; undefined leaves one out. */
export type Asked = Readonly<Record<string, string | undefined>>;

export const VERIFIER = randomBytes(32).toString('base64url');
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');

export const json = async (url: string, init?: RequestInit): Promise<Json> =>
  (await (await fetch(url, init)).json()) as Json;

const post = (url: string, body: Readonly<Record<string, string>>): Promise<Json> =>
  json(url, { method: 'POST', body: new URLSearchParams(body) });

export function register(issuer: string, metadata: Json = {}): Promise<Json> {
  const body = JSON.stringify({ redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none', ...metadata });
  return json(`${issuer}/reg`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
}

/** The id of a client that registered as it should. */
export const newClient = async (issuer: string): Promise<string> => String((await register(issuer))['client_id']);

export function authorizeUrl(issuer: string, asked: Asked): URL {
  const url = new URL(`${issuer}/auth`);
  const params: Asked = {
    response_type: 'code',
    redirect_uri: REDIRECT,
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    state: 'x',
    resource: RESOURCE,
    ...asked,
  };
  for (const [name, value] of Object.entries(params)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}

/** From the log-in page to tokens. */
export async function logIn(issuer: string, asked: Asked, person = alice): Promise<Json> {
  const arrived = await openAndLogIn(authorizeUrl(issuer, asked), person);
  const { code } = Object.fromEntries(arrived.searchParams);
  if (code === undefined) throw new Error(String(arrived.searchParams));
  return post(`${issuer}/token`, {
    grant_type: 'authorization_code',
    code,
    code_verifier: VERIFIER,
    redirect_uri: arrived.origin + arrived.pathname,
    client_id: asked['client_id'] ?? '',
  });
}

export const claimsOf = (token: unknown): Json =>
  JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString('utf8')) as Json;
