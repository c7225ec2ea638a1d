/** Which bucket a network address belongs to. */

/**
 * IPv4 addresses each have their own, in the mapped form `::ffff:192.0.2.1` too. IPv6 addresses share one per /64: that is
 * the smallest network a host is given, and it can take any of its 2^64 addresses (RFC 6177).
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const plain = address.split('%', 1)[0] ?? address;
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/iu.exec(plain);
  if (mapped?.[1] !== undefined) return mapped[1];
  const [before = '', after] = plain.toLowerCase().split('::', 2);
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/u, ''))
    .join(':')}::/64`;
}
