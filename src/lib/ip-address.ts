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
