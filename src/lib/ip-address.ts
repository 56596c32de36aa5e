/**
 * An IP address as four 32-bit words, so that look-ups never touch text. IPv4 is held as its IPv4-mapped
 * IPv6 form (RFC 4291 §2.5.5.2): `::ffff:192.0.2.1` and `192.0.2.1` are one address everywhere.
 */
export interface IpAddress {
  /** Canonical text: dotted quad for IPv4 and mapped IPv4, RFC 5952 for IPv6. */
  readonly text: string;
  readonly family: 4 | 6;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** What a look-up needs of an address. The words are unsigned. */
export type AddressWords = Pick<IpAddress, 'family' | 'a' | 'b' | 'c' | 'd'>;

/** The third word of every IPv4-mapped address. */
const MAPPED_WORD = 0xffff;

/** The longest text of an address: eight full groups, the last two as a dotted quad. */
const MAX_TEXT_LENGTH = 45;
const HEX_GROUP = /^[0-9a-f]{1,4}$/i;

/**
 * Parses an address strictly (RFC 4291 §2.2, RFC 6943 §3.1.1): undefined for anything that two parsers could
 * read differently. No leading zeros, octal, hexadecimal or short IPv4 forms, no zone ids, no brackets, no
 * white space. A mapped IPv4 address is family 4.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.length > MAX_TEXT_LENGTH) return undefined;
  if (!text.includes(':')) {
    const word = parseDottedQuad(text);
    return word === undefined ? undefined : ipv4Address(word, text);
  }
  const groups = parseGroups(text);
  if (groups === undefined) return undefined;
  const word = (i: number) => groups[i] * 0x10000 + groups[i + 1];
  return ipAddressOf(word(0), word(2), word(4), word(6));
}

/** The address of four unsigned words, as bytes on a wire give them; a mapped IPv4 address is family 4. */
export function ipAddressOf(a: number, b: number, c: number, d: number): IpAddress {
  if (a === 0 && b === 0 && c === MAPPED_WORD) return ipv4Address(d, formatIpv4(d));
  return { text: formatIpv6(a, b, c, d), family: 6, a, b, c, d };
}

/**
 * The network an address belongs to, as a key for counters: IPv4 by its first `v4Bits`, IPv6 by its first
 * `v6Bits`. One subscriber commonly holds a whole /64, so a key by the full IPv6 address limits nobody.
 */
export function networkKey(address: IpAddress, v4Bits: number, v6Bits: number): string {
  if (address.family === 4) {
    return v4Bits === 32 ? address.text : `${(address.d & prefixMask(v4Bits)) >>> 0}/${v4Bits}`;
  }
  const a = (address.a & prefixMask(v6Bits)) >>> 0;
  const b = (address.b & prefixMask(v6Bits - 32)) >>> 0;
  const c = (address.c & prefixMask(v6Bits - 64)) >>> 0;
  const d = (address.d & prefixMask(v6Bits - 96)) >>> 0;
  return `${a}.${b}.${c}.${d}/${v6Bits}`;
}

/** A 32-bit word whose first `bits` are set; nothing below 1, everything above 31. */
export function prefixMask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
}

/** Canonical text of an address given by its words. */
export function formatAddress({ family, a, b, c, d }: AddressWords): string {
  return family === 4 ? formatIpv4(d) : formatIpv6(a, b, c, d);
}

const ipv4Address = (word: number, text: string): IpAddress => ({
  text,
  family: 4,
  a: 0,
  b: 0,
  c: MAPPED_WORD,
  d: word,
});

/** `192.0.2.1` as a word. A part with a leading zero is refused: some parsers take it for octal. */
function parseDottedQuad(text: string): number | undefined {
  let word = 0;
  let part = -1;
  let parts = 1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x2e) {
      if (part === -1) return undefined;
      word = word * 256 + part;
      part = -1;
      parts++;
      continue;
    }
    if (code < 0x30 || code > 0x39 || part === 0) return undefined;
    part = (part === -1 ? 0 : part * 10) + code - 0x30;
    if (part > 255) return undefined;
  }
  return part === -1 || parts !== 4 ? undefined : word * 256 + part;
}

/** The eight groups of an IPv6 text, or undefined. */
function parseGroups(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseHalf(halves[0]);
  if (halves.length === 1 || head === undefined) return head?.length === 8 ? head : undefined;
  const tail = parseHalf(halves[1]);
  // A dotted quad may only end the whole address: `192.0.2.1::` is none.
  if (tail === undefined || halves[0].includes('.')) return undefined;
  const missing = 8 - head.length - tail.length;
  return missing < 1 ? undefined : [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function parseHalf(text: string): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (let i = 0; i < parts.length; i++) {
    if (i === parts.length - 1 && parts[i].includes('.')) {
      const word = parseDottedQuad(parts[i]);
      if (word === undefined) return undefined;
      groups.push(word >>> 16, word & 0xffff);
    } else {
      if (!HEX_GROUP.test(parts[i])) return undefined;
      groups.push(Number.parseInt(parts[i], 16));
    }
  }
  return groups;
}

const formatIpv4 = (word: number): string =>
  `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;

/** RFC 5952 §4: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function formatIpv6(a: number, b: number, c: number, d: number): string {
  const groups = [a, b, c, d].flatMap((word) => [word >>> 16, word & 0xffff]);
  let from = 0;
  let length = 0;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) [from, length] = [i, end - i];
  }
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, from).join(':')}::${hex.slice(from + length).join(':')}`;
}
