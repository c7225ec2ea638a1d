/**
 * Which URLs and addresses a caller may reach. Names are resolved here, judged, and the connection is made to exactly the
 * addresses that were judged, so that a second answer of the resolver (DNS rebinding) is never asked for.
 */

import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { callbackify } from 'node:util';
import { classifyAddress } from './addresses.ts';
import type { AddressKind } from './addresses.ts';
import { EgressError } from './egress-error.ts';

/**
 * Who wrote the URL. `configured`: the operator; private networks and plain HTTP are theirs to choose. `discovered`: a
 * document, a header or a stranger; HTTPS and public addresses only.
 */
export type EgressPolicy = 'configured' | 'discovered';

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

type Rules = { readonly protocols: readonly string[]; readonly kinds: ReadonlySet<AddressKind> };

const RULES: Readonly<Record<EgressPolicy, Rules>> = {
  // Never link-local or metadata: a name that the operator wrote may be answered by someone else's resolver.
  configured: { protocols: ['http:', 'https:'], kinds: new Set(['public', 'private', 'loopback', 'shared']) },
  discovered: { protocols: ['https:'], kinds: new Set(['public']) },
};

export const resolveWithSystem: Resolve = async (hostname) => {
  const found = await systemLookup(hostname, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
};

const WORDS: Readonly<Record<EgressPolicy, string>> = {
  configured: 'addresses of this kind are never reached',
  discovered: 'a URL that was not named in the configuration may only lead to public addresses',
};

/** @throws EgressError `refused` when policy does not allow the address; `host` is what the message names. */
export function assertAddress(policy: EgressPolicy, address: string, host: string): void {
  const kind = classifyAddress(address);
  if (kind !== undefined && RULES[policy].kinds.has(kind)) return;
  const where = host === address ? host : `${host} (${address})`;
  throw new EgressError('refused', `${where} is ${kind ?? 'not an IP'} address space: ${WORDS[policy]}`);
}

/**
 * Checks what can be known before a name is resolved: scheme, credentials in the URL, literal addresses in any notation.
 *
 * @throws EgressError `refused`.
 */
export function assertUrl(policy: EgressPolicy, url: URL): void {
  if (!RULES[policy].protocols.includes(url.protocol)) {
    const wanted = policy === 'discovered' ? 'https' : 'http or https';
    throw new EgressError('refused', `${url.host} is asked for over ${url.protocol} where only ${wanted} is allowed`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new EgressError(
      'refused',
      `the URL of ${url.host} holds a user name or password; pass credentials as headers`,
    );
  }
  // The URL parser has turned octal, hexadecimal and integer forms of IPv4 into dots.
  if (classifyAddress(url.hostname) !== undefined) assertAddress(policy, url.hostname, url.hostname);
}

/** A lookup for `net.connect` that yields only addresses the policy allows. One forbidden address spoils the name. */
export function createGuardedLookup(policy: EgressPolicy, resolve: Resolve): LookupFunction {
  const judged = async (hostname: string): Promise<{ address: string; family: number }[]> => {
    const addresses = await resolve(hostname);
    if (addresses.length === 0) throw new EgressError('unreachable', `${hostname} has no address (DNS)`);
    for (const address of addresses) assertAddress(policy, address, hostname);
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  const judgedThen = callbackify(judged);
  return (hostname, options, callback) => {
    judgedThen(hostname, (error, found) => {
      const [first] = found ?? [];
      if (error !== null) callback(error, []);
      else if (options.all === true) callback(null, found);
      else callback(null, first?.address ?? '', first?.family ?? 0);
    });
  };
}
