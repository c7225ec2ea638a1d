/** What counts as this machine: where the identity provider may listen, and whose pages may talk to it. */

/** Names and addresses to listen on, as a person writes them. */
export const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

/** The page of a program on this machine, on whatever port. */
export function isLoopbackOrigin(origin: string): boolean {
  const url = URL.parse(origin);
  return url?.protocol === 'http:' && LOOPBACK_HOSTS.has(url.hostname.replace(/^\[|\]$/g, ''));
}
