/** What a token says of itself that was handed to us as a value, where it is a JWT. Its signature is the server's matter, not ours. */

import { isJsonObject, type JsonObject } from '../model/json.ts';

/** After a scheme such as `Bearer `, three parts of base64url. Longer ones are not looked at. */
const JWT = /^(?:[A-Za-z][A-Za-z0-9-]* )?[A-Za-z0-9_-]{1,4096}\.([A-Za-z0-9_-]{1,16384})\.[A-Za-z0-9_-]{0,8192}$/;

/** Milliseconds since the epoch; undefined when the value does not say. */
export function tokenExpiryMs(value: string): number | undefined {
  const exp = claimsOf(value)?.['exp'];
  return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : undefined;
}

const MAX_SCOPES = 100;
const MAX_SCOPE_CHARS = 200;

/** RFC 9068 has `scope`, others `scp` or `roles`; undefined when the value does not say. */
export function tokenScopes(value: string): readonly string[] | undefined {
  const claims = claimsOf(value);
  const said = [claims?.['scope'], claims?.['scp'], claims?.['roles']].filter((claim) => claim !== undefined);
  if (said.length === 0) return undefined;
  const words = said.flatMap((claim): readonly unknown[] =>
    typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [],
  );
  const scopes = words.filter(
    (scope): scope is string => typeof scope === 'string' && scope !== '' && scope.length <= MAX_SCOPE_CHARS,
  );
  return [...new Set(scopes)].slice(0, MAX_SCOPES);
}

function claimsOf(value: string): JsonObject | undefined {
  const payload = JWT.exec(value)?.[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return isJsonObject(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}
