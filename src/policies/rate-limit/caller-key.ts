import type { PolicyContext } from '../../contract/index.ts';
import { networkKey } from '../../lib/ip-address.ts';
import type { RateLimitConfig } from './schema.ts';

/**
 * Who a request is counted for: a key within a scope. The kinds of key have a scope each, so that nobody can
 * name themselves after an address or a consumer.
 */
export interface CallerKeys {
  /** The scope of the key, which is the attachment's id where the key is of the kind asked for. */
  scope(c: PolicyContext): string;
  key(c: PolicyContext): string;
}

/** One subscriber commonly holds a whole /64; a limit by single addresses would be none. */
const IPV6_PREFIX_BITS = 64;

/** Header values are the caller's choice: only so much of a long one is looked at, and its length. */
const MAX_KEY_LENGTH = 256;

/** How callers are told apart. A caller without the thing asked for is counted by address, never let on uncounted. */
export function callerKeys(by: RateLimitConfig['by'], attachment: string): CallerKeys {
  if (by === 'address') return { scope: () => attachment, key: addressKey };
  if (by === 'route') return { scope: () => attachment, key: (c) => c.route.name };
  const own = ownKey(by);
  const fallback = `${attachment} by address`;
  return {
    scope: (c) => (own(c) === undefined ? fallback : attachment),
    key: (c) => own(c) ?? addressKey(c),
  };
}

function ownKey(
  by: Exclude<RateLimitConfig['by'], 'address' | 'route'>,
): (c: PolicyContext) => string | undefined {
  if (by === undefined || by === 'consumer') return (c) => c.facts.identity?.consumer;
  if (by === 'credential') return credentialKey;
  const name = by.header.toLowerCase();
  return (c) => headerKey(c, name);
}

const addressKey = (c: PolicyContext): string => networkKey(c.request.client, 32, IPV6_PREFIX_BITS);

/** An identity without a credential's id (mTLS by name, say) is counted as its consumer. */
function credentialKey(c: PolicyContext): string | undefined {
  const { identity } = c.facts;
  if (identity === undefined) return undefined;
  const { credential, consumer } = identity;
  return credential === undefined ? `consumer ${consumer}` : `${credential.kind} ${credential.id}`;
}

/** A header sent twice names nobody: the upstream may believe either value. */
function headerKey(c: PolicyContext, name: string): string | undefined {
  const { headers } = c.request;
  const value = headers.get(name);
  if (value === undefined || value === '' || headers.count(name) > 1) return undefined;
  if (value.length <= MAX_KEY_LENGTH) return value;
  const half = MAX_KEY_LENGTH / 2;
  return `${value.length} ${value.slice(0, half)} ${value.slice(-half)}`;
}
