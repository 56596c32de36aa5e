import { type Cidr, holdsNetwork, parseCidr } from './cidr.ts';

/** A range of addresses that are nobody's on the internet, and what it is called. */
export interface SpecialNetwork {
  readonly network: Cidr;
  readonly name: string;
}

const RANGES: readonly (readonly [network: string, name: string])[] = [
  ['127.0.0.0/8', 'loopback'],
  ['::1/128', 'loopback'],
  ['10.0.0.0/8', 'private'],
  ['172.16.0.0/12', 'private'],
  ['192.168.0.0/16', 'private'],
  ['fc00::/7', 'private'],
  ['169.254.0.0/16', 'link-local'],
  ['fe80::/10', 'link-local'],
  ['100.64.0.0/10', 'carrier-grade NAT'],
];

/** Where an operator's own machines and customers behind NAT are (RFC 6890, RFC 1918, RFC 4193, RFC 6598). */
export const SPECIAL_NETWORKS: readonly SpecialNetwork[] = Object.freeze(
  RANGES.flatMap(([text, name]) => {
    const network = parseCidr(text);
    return 'fault' in network ? [] : [{ network, name }];
  }),
);

/** Where callers of the internet are: IPv4 below multicast and what is reserved, and global IPv6 (RFC 4291 §2.4). */
const RESERVED_V4: Cidr = { family: 4, a: 0, b: 0, c: 0xffff, d: 0xe0000000, bits: 3 };
const GLOBAL_V6: Cidr = { family: 6, a: 0x20000000, b: 0, c: 0, d: 0, bits: 3 };

/**
 * Whether a network is so wide that nobody means it: more than a /8 of IPv4 or a /16 of IPv6, a default route among
 * them. What nobody calls from may be as wide as it likes: lists of bogons hold it.
 */
export function isTooWide(network: Cidr): boolean {
  if (network.family === 4) return network.bits < 8 && !holdsNetwork(RESERVED_V4, network);
  if (network.bits >= 16) return false;
  return holdsNetwork(GLOBAL_V6, network) || holdsNetwork(network, GLOBAL_V6);
}
