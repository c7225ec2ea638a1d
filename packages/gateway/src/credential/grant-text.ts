/** A grant as the text that is encrypted, and back. The only place where the tokens of people become a text. */

import { isJsonObject, type JsonObject } from '../model/json.ts';
import { Secret } from '../model/secret.ts';
import type { Grant } from './grant.ts';

/** A token travels in a header; servers refuse far shorter ones. */
const MAX_TOKEN_CHARS = 16_384;
const MAX_GRANT_CHARS = 65_536;

/** @throws RangeError for what is too large to be kept. */
export function grantText(grant: Grant): string {
  const { accessToken, refreshToken, ...rest } = grant;
  const tokens = { accessToken: accessToken.expose(), refreshToken: refreshToken?.expose() };
  for (const [name, token] of Object.entries(tokens)) {
    if ((token?.length ?? 0) <= MAX_TOKEN_CHARS) continue;
    throw new RangeError(`The ${name} of ${grant.issuer} is longer than ${MAX_TOKEN_CHARS} characters.`);
  }
  const text = JSON.stringify({ ...rest, ...tokens });
  if (text.length > MAX_GRANT_CHARS)
    throw new RangeError(`A grant of ${grant.issuer} is larger than ${MAX_GRANT_CHARS}.`);
  return text;
}

/** The text is our own, authenticated; the checks give it a type. Undefined for what another version wrote. */
export function parseGrant(text: string): Grant | undefined {
  const value: unknown = JSON.parse(text);
  if (!isJsonObject(value)) return undefined;
  const issuer = textOf(value, 'issuer');
  const tokenEndpoint = textOf(value, 'tokenEndpoint');
  const clientId = textOf(value, 'clientId');
  const resource = textOf(value, 'resource');
  const accessToken = textOf(value, 'accessToken');
  const obtainedAtMs = value['obtainedAtMs'];
  const scopes = value['scopes'];
  if (issuer === undefined || tokenEndpoint === undefined || clientId === undefined) return undefined;
  if (resource === undefined || accessToken === undefined) return undefined;
  if (typeof obtainedAtMs !== 'number' || !Array.isArray(scopes)) return undefined;
  const revocationEndpoint = textOf(value, 'revocationEndpoint');
  const refreshToken = textOf(value, 'refreshToken');
  const { expiresAtMs, refusedAtMs } = value;
  return {
    issuer,
    tokenEndpoint,
    ...(revocationEndpoint === undefined ? {} : { revocationEndpoint }),
    clientId,
    resource,
    scopes: scopes.flatMap((scope: unknown) => (typeof scope === 'string' ? [scope] : [])),
    accessToken: new Secret(accessToken),
    ...(refreshToken === undefined ? {} : { refreshToken: new Secret(refreshToken) }),
    obtainedAtMs,
    ...(typeof expiresAtMs === 'number' ? { expiresAtMs } : {}),
    ...(typeof refusedAtMs === 'number' ? { refusedAtMs } : {}),
  };
}

function textOf(value: JsonObject, name: string): string | undefined {
  const text = value[name];
  return typeof text === 'string' ? text : undefined;
}
