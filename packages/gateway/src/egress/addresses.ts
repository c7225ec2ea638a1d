/**
 * What kind of network an IP address belongs to, so that a URL that someone else wrote cannot lead us into our own.
 * Sources: RFC 6890 and the IANA special-purpose registries; addresses that carry an IPv4 address inside are judged by it.
 */

import { isIP } from 'node:net';

export type AddressKind =
  | 'public'
  | 'private'
  | 'loopback'
  /** 100.64.0.0/10, RFC 6598: behind a carrier's or a mesh's translator. */
  | 'shared'
  | 'link-local'
  /** Where clouds answer with the machine's own credentials. */
  | 'metadata'
  | 'multicast'
  /** `0.0.0.0/8` and `::`, which many systems take for themselves. */
  | 'unspecified'
  /** Documentation, benchmarks, future use, tunnels: nothing that we should talk to. */
  | 'reserved';

type Range = readonly [kind: AddressKind, base: string, prefixBits: number];

const IPV4_RANGES: readonly Range[] = [
  ['metadata', '169.254.169.254', 32],
  ['metadata', '169.254.170.2', 32],
  ['metadata', '169.254.170.23', 32],
  ['metadata', '168.63.129.16', 32],
  ['metadata', '100.100.100.200', 32],
  ['metadata', '192.0.0.192', 32],
  ['unspecified', '0.0.0.0', 8],
  ['private', '10.0.0.0', 8],
  ['shared', '100.64.0.0', 10],
  ['loopback', '127.0.0.0', 8],
  ['link-local', '169.254.0.0', 16],
  ['private', '172.16.0.0', 12],
  ['reserved', '192.0.0.0', 24],
  ['reserved', '192.0.2.0', 24],
  ['reserved', '192.88.99.0', 24],
  ['private', '192.168.0.0', 16],
  ['reserved', '198.18.0.0', 15],
  ['reserved', '198.51.100.0', 24],
  ['reserved', '203.0.113.0', 24],
  ['multicast', '224.0.0.0', 4],
  ['reserved', '240.0.0.0', 4],
];

/** Where in an IPv6 address an IPv4 address may hide: prefix, and the first bit of the 32 behind which it stands. */
const EMBEDDINGS: readonly (readonly [base: string, prefixBits: number, firstBit: number])[] = [
  ['::ffff:0:0', 96, 96],
  ['::ffff:0:0:0', 96, 96],
  ['64:ff9b::', 96, 96],
  ['2002::', 16, 16],
  ['::', 96, 96],
];

const IPV6_RANGES: readonly Range[] = [
  ['unspecified', '::', 128],
  ['loopback', '::1', 128],
  ['metadata', 'fd00:ec2::254', 128],
  ['metadata', 'fd20:ce::254', 128],
  ['private', '64:ff9b:1::', 48],
  ['private', 'fc00::', 7],
  ['private', 'fec0::', 10],
  ['link-local', 'fe80::', 10],
  ['multicast', 'ff00::', 8],
  ['reserved', '2001::', 23],
  ['reserved', '2001:db8::', 32],
  ['reserved', '3fff::', 20],
  ['public', '2000::', 3],
];

function ipv4Bits(text: string): bigint {
  return text.split('.').reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n);
}

/** The groups of one side of `::`; a dotted tail counts as two groups. */
function ipv6Groups(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const bits = ipv4Bits(group);
    return [bits >> 16n, bits & 0xffffn];
  });
}

function ipv6Bits(text: string): bigint {
  const [left = '', right] = text.split('::');
  const head = ipv6Groups(left);
  const tail = right === undefined ? [] : ipv6Groups(right);
  const gap = Array.from({ length: 8 - head.length - tail.length }, () => 0n);
  return [...head, ...gap, ...tail].reduce((bits, group) => (bits << 16n) | group, 0n);
}

const contains = (base: bigint, prefixBits: number, width: number, bits: bigint): boolean => {
  const shift = BigInt(width - prefixBits);
  return base >> shift === bits >> shift;
};

const toRows = (ranges: readonly Range[], bitsOf: (text: string) => bigint) =>
  ranges.map(([kind, base, prefixBits]) => ({ kind, base: bitsOf(base), prefixBits }));

const IPV4_ROWS = toRows(IPV4_RANGES, ipv4Bits);
const IPV6_ROWS = toRows(IPV6_RANGES, ipv6Bits);
const EMBEDDING_ROWS = EMBEDDINGS.map(([base, prefixBits, firstBit]) => ({
  base: ipv6Bits(base),
  prefixBits,
  shift: BigInt(128 - firstBit - 32),
}));

function classifyIpv4(bits: bigint): AddressKind {
  return IPV4_ROWS.find((row) => contains(row.base, row.prefixBits, 32, bits))?.kind ?? 'public';
}

function classifyIpv6(bits: bigint): AddressKind {
  // `::` and `::1` before the embeddings: they are no IPv4 addresses.
  if (bits <= 1n) return bits === 0n ? 'unspecified' : 'loopback';
  const embedding = EMBEDDING_ROWS.find((row) => contains(row.base, row.prefixBits, 128, bits));
  if (embedding !== undefined) return classifyIpv4((bits >> embedding.shift) & 0xffffffffn);
  return IPV6_ROWS.find((row) => contains(row.base, row.prefixBits, 128, bits))?.kind ?? 'reserved';
}

/**
 * The kind of an address as a resolver or a parsed URL writes it (square brackets and a zone are allowed). Undefined when
 * it is no IP address: a name, or a form like `0x7f.1` that only a URL parser understands, and turns into dots.
 */
export function classifyAddress(address: string): AddressKind | undefined {
  const bare = address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address;
  const [text = ''] = bare.split('%');
  switch (isIP(text)) {
    case 4:
      return classifyIpv4(ipv4Bits(text));
    case 6:
      return classifyIpv6(ipv6Bits(text));
    default:
      return undefined;
  }
}
