import type { DecisionEntry, RequestEnd } from '../contract/index.ts';
import type { ErrorCode } from '../errors.ts';

/** Ways in which a request can speak against who sent it. */
export const MISDEEDS = Object.freeze([
  /** A credential was presented and wrong, here or, by its 401, at the upstream. */
  'failed-authentication',
  /** Nothing was presented where something is asked for: how many honest clients begin, and how scans look. */
  'unauthenticated',
  /** Known, and not allowed. */
  'forbidden',
  /** Refused by the policy `waf`. */
  'waf',
  /** Not what a well-made client sends: against a schema, too large, malformed. */
  'validation',
  /** Asked for what is not there, or with a method that it does not have. */
  'not-found',
  /** Came too often, and was told so. */
  'rate',
  /** Any other 4xx, and a 5xx of the upstream's own. */
  'error',
] as const);

export type Misdeed = (typeof MISDEEDS)[number];

/**
 * What the gateway's own codes speak of. Left out is whatever is not the caller's doing: that the upstream or a store
 * is away, that the gateway is full, a ban (which would feed itself), a client that went away.
 */
const BY_CODE: ReadonlyMap<ErrorCode, Misdeed> = new Map<ErrorCode, Misdeed>([
  ['invalid-credential', 'failed-authentication'],
  ['unauthenticated', 'unauthenticated'],
  ['forbidden', 'forbidden'],
  ['insufficient-scope', 'forbidden'],
  ['address-denied', 'forbidden'],
  ['origin-denied', 'forbidden'],
  ['invalid-request', 'validation'],
  ['malformed-request', 'validation'],
  ['ambiguous-framing', 'validation'],
  ['bad-host', 'validation'],
  ['bad-path', 'validation'],
  ['header-underscore', 'validation'],
  ['method-override', 'validation'],
  ['payload-too-large', 'validation'],
  ['uri-too-long', 'validation'],
  ['headers-too-large', 'validation'],
  ['unsupported-media-type', 'validation'],
  ['expectation-failed', 'validation'],
  ['no-route', 'not-found'],
  ['method-not-allowed', 'not-found'],
  ['rate-limited', 'rate'],
  ['quota-exceeded', 'rate'],
  ['concurrency-limited', 'rate'],
  // Not a failure of its own: the guard may refuse a name for what others guessed, and no credential was looked at.
  ['too-many-failures', 'rate'],
  ['request-timeout', 'error'],
]);

/** What an upstream's own answers speak of. */
const BY_STATUS: ReadonlyMap<number, Misdeed> = new Map<number, Misdeed>([
  [400, 'validation'],
  [401, 'failed-authentication'],
  [403, 'forbidden'],
  [404, 'not-found'],
  [405, 'not-found'],
  [413, 'validation'],
  [414, 'validation'],
  [415, 'validation'],
  [422, 'validation'],
  [429, 'rate'],
  [431, 'validation'],
]);

/** What a request that ended speaks of; undefined where nothing speaks against its sender. */
export function misdeedOf(end: RequestEnd): Misdeed | undefined {
  const { code, status } = end;
  if (code === undefined) return status < 400 ? undefined : (BY_STATUS.get(status) ?? 'error');
  return refusalIn(end)?.policy === 'waf' ? 'waf' : BY_CODE.get(code);
}

/** The attachment that refused; undefined where none did. What is in shadow refuses nothing. */
export function refusalIn({ decisions }: RequestEnd): DecisionEntry | undefined {
  for (let i = decisions.length - 1; i >= 0; i--) {
    const entry = decisions[i];
    if (entry.outcome === 'reject' && entry.mode === 'enforce') return entry;
  }
  return undefined;
}
