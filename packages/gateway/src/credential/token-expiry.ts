/** When a token ends that was handed to us as a value: a JWT says so itself. Its signature is the server's matter, not ours. */

import { isJsonObject } from '../model/json.ts';

/** After a scheme such as `Bearer `, three parts of base64url. Longer ones are not looked at. */
const JWT = /^(?:[A-Za-z][A-Za-z0-9-]* )?[A-Za-z0-9_-]{1,4096}\.([A-Za-z0-9_-]{1,16384})\.[A-Za-z0-9_-]{0,8192}$/;

/** Milliseconds since the epoch; undefined when the value does not say. */
export function tokenExpiryMs(value: string): number | undefined {
  const payload = JWT.exec(value)?.[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    const exp = isJsonObject(claims) ? claims['exp'] : undefined;
    return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
