/** For the tests of identity: a real issuer whose keys and answers the test decides, and requests to a real gateway. */

import {
  signingKey,
  signToken,
  startIssuer,
  type SigningKey,
  type TestIssuer,
} from '../../packages/gateway/src/authn/issuer.fixture.ts';
import type { TestGateway } from '../harness/gateway.ts';
import { bearer, legacy, modern, send, type HttpAnswer, type HttpRequest } from '../harness/http.ts';

export type IdentityProvider = TestIssuer & {
  readonly key: SigningKey;
  /** A token that is good but for what `claims` change of it; `undefined` leaves a claim out. */
  token(claims: Readonly<Record<string, unknown>>, how?: Signing): Promise<string>;
};

export type Signing = { readonly key?: SigningKey; readonly header?: Readonly<Record<string, unknown>> };

export async function startIdentityProvider(alg = 'ES256'): Promise<IdentityProvider> {
  const [issuer, key] = await Promise.all([startIssuer(), signingKey(alg, 'one')]);
  issuer.publish(key.jwk);
  return {
    ...issuer,
    key,
    token(claims, { key: signer = key, header } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const usual = { iss: issuer.url, sub: 'carol', iat: now - 5, exp: now + 7200, groups: ['engineering'] };
      return signToken(signer, { ...usual, ...claims }, header);
    },
  };
}

export const callOk = (name = 'ok'): HttpRequest => modern('tools/call', { name, arguments: { text: 'hello' } });

export const withCredential = (request: HttpRequest, credential: string | undefined): HttpRequest => ({
  ...request,
  headers: { ...request.headers, ...(credential === undefined ? {} : bearer(credential)) },
});

export const post = (
  gateway: TestGateway,
  path: string,
  credential: string | undefined,
  request: HttpRequest = callOk(),
): Promise<HttpAnswer> => send(`${gateway.url}${path}`, withCredential(request, credential));

/** Opens a legacy session; the answer to `initialize` is there to be looked at. */
export async function openSession(
  gateway: TestGateway,
  path: string,
  credential: string,
): Promise<{ readonly session: string; readonly opened: HttpAnswer }> {
  const opened = await post(gateway, path, credential, legacy('initialize'));
  return { session: String(opened.headers['mcp-session-id']), opened };
}

/** An answer without what differs from request to request. */
export const comparable = ({ status, headers, text }: HttpAnswer): unknown => ({
  status,
  headers: { ...headers, date: undefined },
  text: text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/gu, '<request id>'),
});
