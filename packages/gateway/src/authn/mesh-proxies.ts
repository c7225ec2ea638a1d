/** The addresses of the proxies that are believed about the certificates of their callers. */

import { BlockList, isIP } from 'node:net';

export type AddressSet = (address: string) => boolean;

const IPV4_IN_IPV6 = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

/**
 * `10.0.0.0/8`, `::1/128` or a single address. A dual-stack listener sees IPv4 peers as `::ffff:10.1.2.3`: they are the
 * same machines.
 *
 * @throws RangeError when an entry is none of these.
 */
export function createAddressSet(ranges: readonly string[]): AddressSet {
  if (ranges.length === 0) return () => false;
  const set = new BlockList();
  for (const range of ranges) addRange(set, range);
  return (address) => {
    const plain = address.replace(IPV4_IN_IPV6, '');
    const family = isIP(plain);
    return family !== 0 && set.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  };
}

function addRange(set: BlockList, range: string): void {
  const [address = '', bits] = range.split('/');
  const family = isIP(address);
  if (family === 0) throw new RangeError(`${range} is not an address or a range of addresses`);
  const name = family === 4 ? 'ipv4' : 'ipv6';
  if (bits === undefined) set.addAddress(address, name);
  else set.addSubnet(address, Number(bits), name);
}
