import type { Claims } from '../../identity/index.ts';
import type { CompactJws } from '../../tokens/index.ts';
import type { SignedOut } from './ended-sessions.ts';

/** What a logout token must say (OpenID Connect Back-Channel Logout §2.4). Good for minutes: it is sent at once. */
export const LOGOUT_TOKEN = Object.freeze({
  required: Object.freeze(['iss', 'aud', 'iat', 'jti', 'events']),
  expiry: 'optional',
  maxAgeMs: 300_000,
} as const);

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Providers that do not type it at all, or as any JWT, are told apart from ID tokens by `events` and `nonce`. */
const TYPES: readonly (string | undefined)[] = [undefined, 'logout+jwt', 'jwt'];
const MAX_NAME_LENGTH = 256;

/** Why a verified token is no logout token; undefined where it is one. */
export function logoutTokenFault({
  claims,
  jws,
}: {
  readonly claims: Claims;
  readonly jws: CompactJws;
}): string | undefined {
  const { jti, events, sid, sub } = claims;
  if (!TYPES.includes(jws.typ)) return 'the token is of another type';
  // An ID token that somebody got hold of must not sign its user out.
  if (Object.hasOwn(claims, 'nonce')) return 'the token has a nonce, as ID tokens have';
  if (!isName(jti)) return 'the token has no id of a sensible length';
  if (!isObject(events) || !isObject(memberOf(events, EVENT))) return 'the token tells of no sign-out';
  if (sid === undefined && sub === undefined) return 'the token names neither a session nor a user';
  if (sid !== undefined && !isName(sid)) return 'the session is no name';
  return sub !== undefined && !isName(sub) ? 'the user is no name' : undefined;
}

export function signedOutBy({ sid, sub }: Claims): SignedOut {
  return { sid: isName(sid) ? sid : undefined, sub: isName(sub) ? sub : undefined };
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_NAME_LENGTH;

function memberOf(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
