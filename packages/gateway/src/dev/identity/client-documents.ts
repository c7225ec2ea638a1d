/**
 * Clients that are identified by the URL of a document about themselves (OAuth Client ID Metadata Document). One on the
 * internet must be https and is fetched through the guard against SSRF; one on this machine may be http, so that a client
 * under development can be tried, and then its answers may go to this machine only.
 */

import type { AdapterPayload } from 'oidc-provider';

import type { Egress } from '../../egress/egress.ts';
import { isJsonObject } from '../../model/json.ts';
import type { JsonObject } from '../../model/json.ts';

export type ClientDocuments = {
  /** A client on this machine; undefined when `clientId` is anything else, or its document is not as it should be. */
  find(clientId: string): Promise<AdapterPayload | undefined>;
  /** What the provider fetches with: public https addresses, one small JSON document, no redirects. */
  readonly fetch: (input: string | URL | Request) => Promise<Response>;
};

const MAX_BYTES = 5 * 1024;
const TIMEOUT_MS = 2500;
const REMEMBER_MS = 30_000;
const MAX_REMEMBERED = 50;
const MAX_REDIRECT_URIS = 10;

/** As the URL parser writes them. A name is not among them: who knows where it leads. */
const THIS_MACHINE = new Set(['127.0.0.1', '[::1]']);

export function createClientDocuments(egress: Egress): ClientDocuments {
  const remembered = new Map<string, { readonly client: AdapterPayload; readonly untilMs: number }>();
  return {
    async find(clientId) {
      if (!isDocumentHere(clientId)) return undefined;
      const known = remembered.get(clientId);
      if (known !== undefined && performance.now() < known.untilMs) return known.client;
      remembered.delete(clientId);
      const client = await fetchHere(egress, clientId);
      if (client === undefined) return undefined;
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(clientId, { client, untilMs: performance.now() + REMEMBER_MS });
      return client;
    },
    fetch: async (input) => {
      const url = input instanceof Request ? input.url : input;
      const options = { policy: 'discovered', maxBytes: MAX_BYTES, timeoutMs: TIMEOUT_MS } as const;
      const { body, headers } = await egress.fetchJson(url, options);
      const cache = headers['cache-control'];
      // A document that says nothing of it means a client without a secret: there is nobody to give one to.
      const client = isJsonObject(body) && 'client_id' in body ? { token_endpoint_auth_method: 'none', ...body } : body;
      return Response.json(client, typeof cache === 'string' ? { headers: { 'cache-control': cache } } : {});
    },
  };
}

/** Written exactly as the parser writes it: no user, no fragment, no dot segments, no other spelling of the address. */
function isDocumentHere(clientId: string): boolean {
  const url = clientId.length > 500 ? null : URL.parse(clientId);
  return (
    url !== null &&
    url.protocol === 'http:' &&
    THIS_MACHINE.has(url.hostname) &&
    url.pathname !== '/' &&
    url.username === '' &&
    url.password === '' &&
    url.hash === '' &&
    url.href === clientId
  );
}

async function fetchHere(egress: Egress, clientId: string): Promise<AdapterPayload | undefined> {
  let body: unknown;
  try {
    ({ body } = await egress.fetchJson(clientId, {
      policy: 'configured',
      maxBytes: MAX_BYTES,
      timeoutMs: TIMEOUT_MS,
    }));
  } catch {
    return undefined;
  }
  return isJsonObject(body) ? clientFrom(body, clientId) : undefined;
}

/** Only what is understood is taken over. There is no secret that a public document could share. */
function clientFrom(document: JsonObject, clientId: string): AdapterPayload | undefined {
  const { client_id: id, client_name: name, redirect_uris: uris, grant_types: grants, scope } = document;
  const redirectUris = texts(uris);
  if (id !== clientId || redirectUris.length === 0 || redirectUris.length > MAX_REDIRECT_URIS) return undefined;
  if (!redirectUris.every(isRedirectHere)) return undefined;
  return {
    client_id: clientId,
    redirect_uris: redirectUris,
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    response_types: ['code'],
    grant_types: grants === undefined ? ['authorization_code', 'refresh_token'] : texts(grants),
    ...(typeof name === 'string' ? { client_name: name } : {}),
    ...(typeof scope === 'string' ? { scope } : {}),
  };
}

function isRedirectHere(uri: string): boolean {
  const url = URL.parse(uri);
  return url?.protocol === 'http:' && (THIS_MACHINE.has(url.hostname) || url.hostname === 'localhost');
}

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
