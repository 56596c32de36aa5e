import type { Claims } from '../identity/index.ts';
import { nameList } from './name-list.ts';

/** What the registered claims of a token must say (RFC 7519 §4.1). Times in milliseconds. */
export interface ClaimRules {
  /** One of these must be among `aud`; undefined: it is for anybody. */
  readonly audiences: readonly string[] | undefined;
  /** How far clocks may differ. */
  readonly toleranceMs: number;
  readonly expiry: 'required' | 'optional';
  /** From `iat`, which must then be there; undefined for any age. */
  readonly maxAgeMs: number | undefined;
  /** Claims that must be there, whatever they say. */
  readonly required: readonly string[];
}

/** When a token is good, in milliseconds since the epoch: from, up to and without the end. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The end of the year 9999. A later date is no date but, commonly, one in milliseconds: it would never come. */
const LAST_SECOND = 253_402_300_799;
const MAX_AUDIENCES = 100;

/** When the token is good, or why it never is, in words for the record. */
export function checkClaims(claims: Claims, rules: ClaimRules): Validity | string {
  const missing = rules.required.find((name) => !Object.hasOwn(claims, name) || claims[name] === null);
  if (missing !== undefined) return `the token has no claim "${missing}"`;
  return audienceFault(claims.aud, rules.audiences) ?? validityOf(claims, rules);
}

/** A token for somebody else is refused although it is genuine: whoever it was sent to could send it here. */
function audienceFault(aud: unknown, audiences: readonly string[] | undefined): string | undefined {
  const listed: readonly unknown[] = Array.isArray(aud) ? aud : aud === undefined ? [] : [aud];
  const named = listed.filter((one) => typeof one === 'string');
  if (listed.length > MAX_AUDIENCES || named.length < listed.length)
    return 'the audience of the token is no list of names';
  if (audiences === undefined || named.some((one) => audiences.includes(one))) return undefined;
  if (named.length === 0) return 'the token names no audience';
  return `the token is for another audience: ${nameList(named)}, not ${nameList(audiences)}`;
}

function validityOf({ exp, nbf, iat }: Claims, rules: ClaimRules): Validity | string {
  for (const [name, value] of Object.entries({ exp, nbf, iat }))
    if (value !== undefined && !isNumericDate(value)) return `the claim "${name}" of the token is no time`;
  if (exp === undefined && rules.expiry === 'required') return 'the token never expires';
  if (iat === undefined && rules.maxAgeMs !== undefined) return 'the token does not say when it was issued';
  const { toleranceMs, maxAgeMs = Number.POSITIVE_INFINITY } = rules;
  // What is issued only later is not good yet: a clock is wrong, and nobody knows whose.
  const fromMs = Math.max(msOf(nbf, 0), msOf(iat, 0)) - toleranceMs;
  const untilMs = Math.min(
    msOf(exp, Number.POSITIVE_INFINITY),
    msOf(iat, Number.POSITIVE_INFINITY) + maxAgeMs,
  );
  return { fromMs, untilMs: untilMs + toleranceMs };
}

const isNumericDate = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= LAST_SECOND;

const msOf = (seconds: unknown, absent: number): number =>
  typeof seconds === 'number' ? seconds * 1000 : absent;
