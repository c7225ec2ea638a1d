/** Cookies of our own pages (RFC 6265), read from the header lines as they came. */

/** The value of the one cookie of that name. Undefined when there is none, or more than one: which is ours could not be told. */
export function cookieOf(rawHeaders: readonly string[], name: string): string | undefined {
  let found: string | undefined;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== 'cookie') continue;
    for (const pair of (rawHeaders[at + 1] ?? '').split(';')) {
      const equals = pair.indexOf('=');
      if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
      if (found !== undefined) return undefined;
      found = pair.slice(equals + 1).trim();
    }
  }
  return found;
}

/**
 * How cookies are named and guarded. `__Host-` binds one to this very host, over https only (RFC 6265bis section 4.1.3).
 * Chromium 156 was seen to take it over http from loopback as well, but not every browser does: there the name is plain.
 */
export type CookieRules = { readonly prefix: '__Host-' | ''; readonly secure: boolean };

export const cookieRules = (publicUrl: string): CookieRules =>
  new URL(publicUrl).protocol === 'https:' ? { prefix: '__Host-', secure: true } : { prefix: '', secure: false };

/** `SameSite=Lax`: other sites' forms and frames bring none, but the way back from the identity provider does. */
export function setCookie(name: string, value: string, maxAgeMs: number, { secure }: CookieRules): string {
  const guards = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  return `${name}=${value}; Max-Age=${Math.floor(maxAgeMs / 1000)}; ${guards}`;
}

export const clearCookie = (name: string, rules: CookieRules): string => setCookie(name, '', 0, rules);
