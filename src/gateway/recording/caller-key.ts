import type { Identity } from '../../contract/index.ts';
import type { IpAddress } from '../../lib/ip-address.ts';

/**
 * Whose room in a recording a request takes: its consumer's, or that of its network. A number of 32 bits for those
 * (IPv6 by /64): two that share one share room as well, which does no harm, and nothing is made for each request.
 */
export function callerKey(identity: Identity | undefined, client: IpAddress): string | number {
  if (identity !== undefined && identity.anonymous !== true) return identity.consumer;
  if (client.family === 4) return mixed(client.d, 0x04);
  return mixed(client.a, client.b);
}

/** MurmurHash3's last steps, which spread neighbours apart. */
function mixed(a: number, b: number): number {
  let hash = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 16), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13), 0x85ebca6b);
  return hash ^ (hash >>> 16);
}
