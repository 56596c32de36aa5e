import { type Decision, reject } from '../contract/index.ts';
import { PolicyFailure, PolicyRejection } from '../errors.ts';
import { challenge, parseAuthorization, REPEATED_CREDENTIAL } from '../identity/index.ts';
import { type HeaderList, REPEATED, sameName } from '../lib/header-list.ts';

/** Longer tokens are not looked at: hashing or parsing them would be work for an attacker's asking. */
export const MAX_TOKEN_LENGTH = 16 * 1024;

/** What a bearer token is made of (`b64token`, RFC 6750 §2.1). */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** A token as it was presented. */
export interface PresentedToken {
  /** The scheme it came with, lower case: `bearer`, or another that was asked for. */
  readonly scheme: string;
  readonly token: string;
}

const BEARER: readonly string[] = Object.freeze(['bearer']);

/**
 * The access token of a request (RFC 6750 §2.1; in a form body or the query it is never looked for). Undefined when
 * there is none: another scheme is another policy's. A text says why what is there is no token.
 */
export function readBearer(
  headers: HeaderList,
  schemes: readonly string[] = BEARER,
): PresentedToken | string | undefined {
  const presented = findBearer(headers, schemes);
  if (typeof presented !== 'object') return presented;
  return TOKEN.test(presented.token) ? presented : NO_TOKEN;
}

/** As `readBearer`, where what the token is made of is looked at later: a remembered token was looked at before. */
export function findBearer(
  headers: HeaderList,
  schemes: readonly string[] = BEARER,
): PresentedToken | string | undefined {
  const value = headers.sole('authorization');
  if (value === REPEATED) return REPEATED_CREDENTIAL;
  if (value === undefined) return undefined;
  for (const scheme of schemes) {
    const end = scheme.length;
    if (value.charCodeAt(end) === SPACE && sameName(value.slice(0, end), scheme)) return split(value, scheme);
  }
  const authorization = parseAuthorization(value);
  if (authorization === 'malformed') return 'the Authorization field is malformed';
  return schemes.includes(authorization.scheme) ? NO_TOKEN : undefined;
}

const SPACE = 0x20;
const NO_TOKEN = 'the value sent is not made of the characters of a token';

function split(value: string, scheme: string): PresentedToken | string {
  let start = scheme.length + 1;
  while (value.charCodeAt(start) === SPACE) start++;
  if (value.length - start > MAX_TOKEN_LENGTH)
    return `the token is longer than ${MAX_TOKEN_LENGTH} characters`;
  return { scheme, token: value.slice(start) };
}

/** What stands in the challenges of a policy that asks for a token. */
export interface BearerChallenge {
  /** Default is `Bearer`. */
  readonly scheme?: string;
  readonly realm: string;
  /** URL of the protected resource's metadata (RFC 9728 §5.1). */
  readonly resourceMetadata?: string | undefined;
  /** Further parameters, e.g. `algs`. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/**
 * Refusals of a policy that asks for a token (RFC 6750 §3): without a token there is no error code; every wrong
 * token is refused with one text, so that an answer never tells one kind of wrong from another.
 */
export class BearerRefusals {
  /** Nothing was presented. */
  readonly missing: Decision;
  readonly #challenges: readonly BearerChallenge[];
  readonly #invalidHeaders: readonly string[];

  /** Several challenges where a token is taken with several schemes. */
  constructor(...challenges: readonly BearerChallenge[]) {
    this.#challenges = challenges;
    this.#invalidHeaders = this.#headers({ error: 'invalid_token' });
    this.missing = reject(
      new PolicyRejection('unauthenticated', 'An access token is required.', {
        headers: this.#headers({}),
        rule: 'missing',
      }),
    );
  }

  /** `reason` is for the record: what exactly is wrong, nothing of the token. */
  invalid(reason: string): Decision {
    const headers = this.#invalidHeaders;
    return reject(
      new PolicyRejection('invalid-credential', 'The access token is not valid.', {
        headers,
        rule: 'invalid',
        reason,
      }),
    );
  }

  /** `required`: every scope that is asked for, as the challenge names them. */
  insufficientScope(required: readonly string[], reason: string): Decision {
    const headers = this.#headers({ error: 'insufficient_scope', scope: required.join(' ') });
    return reject(
      new PolicyRejection('insufficient-scope', 'The access token does not allow this.', {
        headers,
        rule: 'scope',
        reason,
      }),
    );
  }

  /** What proves that the token is the caller's is wrong: `error` says how (RFC 9449 §7.1, §9). */
  unproven(error: string, reason: string, more: readonly string[] = []): Decision {
    return reject(
      new PolicyRejection('invalid-credential', 'The proof of possession is not valid.', {
        headers: [...this.#headers({ error }), ...more],
        rule: 'proof',
        reason,
      }),
    );
  }

  /** To be thrown where whoever could tell does not answer now. */
  unavailable(reason: string, retryAfterSeconds?: number): PolicyFailure {
    const headers = retryAfterSeconds === undefined ? [] : ['Retry-After', String(retryAfterSeconds)];
    return new PolicyFailure('identity-unavailable', 'Access tokens cannot be checked now.', reason, {
      headers,
    });
  }

  #headers(error: Readonly<Record<string, string>>): readonly string[] {
    const fields = this.#challenges.flatMap(({ scheme = 'Bearer', realm, resourceMetadata, parameters }) => {
      const all = { realm, ...parameters, resource_metadata: resourceMetadata, ...error };
      return ['WWW-Authenticate', challenge(scheme, all)];
    });
    return Object.freeze(fields);
  }
}
