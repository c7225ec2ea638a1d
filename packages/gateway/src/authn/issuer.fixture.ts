/** A real issuer for tests: a `node:http` server on a free port that publishes metadata and keys, and signs tokens. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';

export type SigningKey = {
  readonly alg: string;
  readonly kid: string | undefined;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
};

export async function signingKey(alg: string, kid?: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), use: 'sig', alg, ...(kid === undefined ? {} : { kid }) };
  return { alg, kid, privateKey, jwk };
}

export type TestIssuer = {
  readonly url: string;
  /** Published from now on. */
  readonly publish: (...keys: readonly JWK[]) => void;
  /** Paths that were asked for, in order. */
  readonly requests: readonly string[];
  /** Takes over every answer, until called with nothing. */
  readonly answerWith: (answer?: (request: IncomingMessage, response: ServerResponse) => void) => void;
  readonly close: () => Promise<void>;
};

export async function startIssuer(style: 'oauth' | 'openid' = 'oauth'): Promise<TestIssuer> {
  let keys: readonly JWK[] = [];
  let takeOver: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  const requests: string[] = [];
  const wellKnown = style === 'oauth' ? '/.well-known/oauth-authorization-server' : '/.well-known/openid-configuration';
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (takeOver !== undefined) return takeOver(request, response);
    const body = new Map<string, unknown>([
      [wellKnown, { issuer: url, jwks_uri: `${url}/keys` }],
      ['/keys', { keys }],
    ]).get(request.url ?? '');
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return {
    url,
    requests,
    publish: (...published) => {
      keys = published;
    },
    answerWith: (answer) => {
      takeOver = answer;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A token as `key` signs it. Times are seconds since the epoch; `undefined` in `claims` leaves the claim out. */
export async function signToken(
  key: SigningKey,
  claims: JWTPayload,
  header: Readonly<Record<string, unknown>> = { typ: 'at+jwt' },
): Promise<string> {
  const signed = new SignJWT(claims).setProtectedHeader({
    alg: key.alg,
    ...(key.kid === undefined ? {} : { kid: key.kid }),
    ...header,
  });
  return signed.sign(key.privateKey, { crit: { 'urn:unknown': true } });
}

/** What `egress` does in the product, plainly. */
export async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { signal });
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  return response.json();
}
