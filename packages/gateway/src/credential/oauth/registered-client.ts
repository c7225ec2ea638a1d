/** How the gateway proves at a token endpoint which client it is. */

import { createPrivateKey, type KeyObject, type webcrypto } from 'node:crypto';

import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  None,
  PrivateKeyJwt,
  type ClientAuth,
} from 'openid-client';

import type { AuthorizationServer } from './authorization-server.ts';
import { OAuthError } from './oauth-error.ts';
import type { OAuthWeb } from './oauth-web.ts';

export type RegisteredClient = {
  readonly id: string;
  readonly proof:
    | { readonly kind: 'none' }
    | {
        readonly kind: 'secret';
        readonly secret: string;
        readonly method?: 'client_secret_basic' | 'client_secret_post';
      }
    | { readonly kind: 'key'; readonly key: webcrypto.CryptoKey; readonly keyId?: string };
};

/** The library's view of one client at one server, with our way out under it. */
export function configurationFor(
  server: Pick<AuthorizationServer, 'metadata' | 'authenticationMethods'>,
  client: RegisteredClient,
  { fetch }: OAuthWeb,
  signal: AbortSignal,
): Configuration {
  const configuration = new Configuration(server.metadata, client.id, {}, authenticationOf(server, client));
  configuration[customFetch] = (url, { signal: own, ...init }) =>
    fetch(url, { ...init, signal: own === undefined ? signal : AbortSignal.any([own, signal]) });
  // Whether plain HTTP may be spoken was decided when the metadata was read, for each of its addresses.
  allowInsecureRequests(configuration);
  return configuration;
}

function authenticationOf(
  { authenticationMethods: methods }: Pick<AuthorizationServer, 'authenticationMethods'>,
  { proof }: RegisteredClient,
): ClientAuth {
  switch (proof.kind) {
    case 'none':
      return None();
    case 'key':
      return PrivateKeyJwt({ key: proof.key, ...(proof.keyId === undefined ? {} : { kid: proof.keyId }) });
    case 'secret': {
      // Every server knows `client_secret_basic` (RFC 6749 section 2.3.1), unless it says that it wants another way.
      const posts = methods.includes('client_secret_post') && !methods.includes('client_secret_basic');
      const method = proof.method ?? (posts ? 'client_secret_post' : 'client_secret_basic');
      return method === 'client_secret_post' ? ClientSecretPost(proof.secret) : ClientSecretBasic(proof.secret);
    }
    default:
      return proof satisfies never;
  }
}

type KeyAlgorithm = Parameters<KeyObject['toCryptoKey']>[0];

const CURVES: Readonly<Record<string, KeyAlgorithm>> = {
  prime256v1: { name: 'ECDSA', namedCurve: 'P-256' },
  secp384r1: { name: 'ECDSA', namedCurve: 'P-384' },
  secp521r1: { name: 'ECDSA', namedCurve: 'P-521' },
};

/** RSA signs as RS256, which every server of RFC 7523 knows. @throws OAuthError; the key is never part of the message */
export function privateKeyFrom(pem: string): webcrypto.CryptoKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new OAuthError('unregistered', 'the private key is not PKCS#8 in PEM', cause);
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const algorithm: KeyAlgorithm | undefined =
    type === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : type === 'ed25519'
        ? { name: 'Ed25519' }
        : CURVES[details?.namedCurve ?? ''];
  if (algorithm === undefined) {
    throw new OAuthError('unregistered', `a private key of the kind ${type ?? 'unknown'} signs no assertion`);
  }
  return key.toCryptoKey(algorithm, false, ['sign']);
}
