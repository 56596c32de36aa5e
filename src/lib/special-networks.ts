import { type Cidr, networkOf, parseCidr } from './cidr.ts';

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

/** IPv4 above this is multicast or reserved: no rule about it shuts a caller out. */
const [NO_CALLERS, NO_CALLERS_BITS] = [0xe0000000, 3];

/**
 * Whether a network is so wide that nobody means it: more than a /8 of IPv4 or a /16 of IPv6, a default route among
 * them. Multicast and reserved IPv4 is no such: nobody calls from there.
 */
export function isTooWide(network: Cidr): boolean {
  if (network.family === 6) return network.bits < 16;
  if (network.bits >= NO_CALLERS_BITS && networkOf(network, NO_CALLERS_BITS).d === NO_CALLERS) return false;
  return network.bits < 8;
}
