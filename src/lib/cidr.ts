import { type AddressWords, formatAddress, parseIpAddress, prefixMask } from './ip-address.ts';

/** A network (RFC 4632, RFC 4291 §2.3): the words of its first address and its prefix in bits of its own family. */
export interface Cidr extends AddressWords {
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly bits: number;
}

/** Why a text is no network, and the network it probably meant. */
export interface CidrFault {
  readonly fault: string;
  readonly suggestion?: string;
}

const PREFIX = /^(0|[1-9][0-9]{0,2})$/;

/**
 * Parses `192.0.2.0/24`, `2001:db8::/32` or a bare address (a /32 or /128). Strict: an address with bits set
 * beyond its prefix is a fault, since nobody can say whether the address or the prefix was meant. A mapped
 * network (`::ffff:192.0.2.0/120`) is its IPv4 network; IPv6 networks hold no IPv4 addresses, so `::/0` is
 * all of IPv6 and nothing else.
 */
export function parseCidr(text: string): Cidr | CidrFault {
  const slash = text.indexOf('/');
  const addressText = slash === -1 ? text : text.slice(0, slash);
  const address = parseIpAddress(addressText);
  if (address === undefined) return { fault: 'is not an IP address or CIDR network' };
  const { family, a, b, c, d } = address;
  const width = family === 4 ? 32 : 128;
  if (slash === -1) return { family, a, b, c, d, bits: width };
  const written = text.slice(slash + 1);
  const isMapped = family === 4 && addressText.includes(':');
  const bits = PREFIX.test(written) ? Number(written) - (isMapped ? 96 : 0) : -1;
  if (bits > width || (bits < 0 && !isMapped)) return { fault: `has no prefix between 0 and ${width}` };
  if (bits < 0) return { fault: 'is a mapped IPv4 network whose prefix is not between 96 and 128' };
  const network = networkOf(address, bits);
  if (network.a === a && network.b === b && network.c === c && network.d === d) return network;
  return {
    fault: `has bits set beyond its prefix of ${bits}`,
    suggestion: `write ${formatCidr(network)} for the network or ${address.text} for the address`,
  };
}

/** Canonical text: `192.0.2.0/24`. */
export function formatCidr(network: Cidr): string {
  return `${formatAddress(network)}/${network.bits}`;
}

/** The network of `bits` (of the address's own family) that an address is in. */
export function networkOf({ family, a, b, c, d }: AddressWords, bits: number): Cidr {
  if (family === 4) return { family, a, b, c, d: (d & prefixMask(bits)) >>> 0, bits };
  return {
    family,
    a: (a & prefixMask(bits)) >>> 0,
    b: (b & prefixMask(bits - 32)) >>> 0,
    c: (c & prefixMask(bits - 64)) >>> 0,
    d: (d & prefixMask(bits - 96)) >>> 0,
    bits,
  };
}

/** Whether a network holds all of another. */
export function holdsNetwork(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || outer.bits > inner.bits) return false;
  const { a, b, c, d } = networkOf(inner, outer.bits);
  return a === outer.a && b === outer.b && c === outer.c && d === outer.d;
}
