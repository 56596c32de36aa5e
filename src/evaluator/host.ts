import { parseIpAddress } from '../lib/ip-address.ts';

/** A Host value in two parts: what routes compare, and the port as text ('' when absent). */
export interface HostParts {
  /** Lower case, no trailing dot; IPv6 in brackets, in its one canonical form. */
  readonly host: string;
  readonly port: string;
}

const REG_NAME = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/;
const PORT = /^[0-9]{1,5}$/;

/**
 * Splits and normalises a Host value (RFC 9110 §7.2, RFC 3986 §3.2.2). Userinfo, empty hosts, double dots and
 * anything that is neither a name nor an address is refused with undefined.
 */
export function parseHost(authority: string): HostParts | undefined {
  const colon =
    authority.charCodeAt(0) === 0x5b
      ? authority.indexOf(':', authority.indexOf(']'))
      : authority.indexOf(':');
  const port = colon === -1 ? '' : authority.slice(colon + 1);
  if (colon !== -1 && (!PORT.test(port) || Number(port) > 65535)) return undefined;
  let host = (colon === -1 ? authority : authority.slice(0, colon)).toLowerCase();
  if (host.endsWith('.')) host = host.slice(0, -1);
  if (host.length > 255 || host.includes('..')) return undefined;
  if (REG_NAME.test(host)) return { host, port };
  const literal = ipv6Literal(host);
  return literal === undefined ? undefined : { host: literal, port };
}

/** Two spellings of one address must not be two hosts to a router. */
function ipv6Literal(host: string): string | undefined {
  if (!host.startsWith('[') || !host.endsWith(']') || !host.includes(':')) return undefined;
  const address = parseIpAddress(host.slice(1, -1));
  if (address === undefined) return undefined;
  return address.family === 6 ? `[${address.text}]` : `[::ffff:${address.text}]`;
}
