/**
 * Every error the product can give, in one table: stable code, HTTP status, whose fault it is,
 * whether the same request may be tried again, and the public title. Causes stay private; only the
 * `respond.ts` files turn an error into HTTP (RFC 9457).
 */

export type ErrorSource = 'client' | 'policy' | 'upstream' | 'gateway' | 'config';

export interface ErrorEntry {
  readonly status: number;
  readonly source: ErrorSource;
  readonly retryable: boolean;
  readonly title: string;
}

const entry = (status: number, source: ErrorSource, retryable: boolean, title: string): ErrorEntry =>
  Object.freeze({ status, source, retryable, title });

export const ERRORS = Object.freeze({
  // What a client sent cannot be understood, or is too much.
  'malformed-request': entry(400, 'client', false, 'Malformed request'),
  'ambiguous-framing': entry(400, 'client', false, 'Ambiguous message framing'),
  'bad-host': entry(400, 'client', false, 'Missing or invalid Host'),
  'bad-path': entry(400, 'client', false, 'Ambiguous path'),
  'header-underscore': entry(400, 'client', false, 'Header name with an underscore'),
  'method-override': entry(400, 'client', false, 'Method override'),
  'request-timeout': entry(408, 'client', true, 'Request timeout'),
  'payload-too-large': entry(413, 'client', false, 'Payload too large'),
  'uri-too-long': entry(414, 'client', false, 'URI too long'),
  'unsupported-media-type': entry(415, 'client', false, 'Unsupported media type'),
  'expectation-failed': entry(417, 'client', false, 'Expectation failed'),
  'headers-too-large': entry(431, 'client', false, 'Request header fields too large'),
  'method-not-implemented': entry(501, 'client', false, 'Method not implemented'),
  'http-version-not-supported': entry(505, 'client', false, 'HTTP version not supported'),
  'client-closed-request': entry(499, 'client', false, 'Client closed the request'),
  // Nothing is configured for what was asked.
  'no-route': entry(404, 'client', false, 'No route matches'),
  'method-not-allowed': entry(405, 'client', false, 'Method not allowed'),
  // A policy refused.
  unauthenticated: entry(401, 'policy', false, 'Authentication required'),
  'invalid-credential': entry(401, 'policy', false, 'Invalid credential'),
  forbidden: entry(403, 'policy', false, 'Forbidden'),
  'insufficient-scope': entry(403, 'policy', false, 'Insufficient scope'),
  'address-denied': entry(403, 'policy', false, 'Address not allowed'),
  'address-banned': entry(403, 'policy', false, 'Address banned'),
  'origin-denied': entry(403, 'policy', false, 'Origin not allowed'),
  'invalid-request': entry(400, 'policy', false, 'Request does not match its schema'),
  'rate-limited': entry(429, 'policy', true, 'Too many requests'),
  'quota-exceeded': entry(429, 'policy', true, 'Quota used up'),
  'concurrency-limited': entry(429, 'policy', true, 'Too many requests at the same time'),
  'caller-banned': entry(403, 'policy', false, 'Caller banned'),
  'limits-unavailable': entry(503, 'gateway', true, 'Limits cannot be counted now'),
  'too-many-failures': entry(429, 'policy', true, 'Too many invalid credentials'),
  'identity-unavailable': entry(503, 'gateway', true, 'Callers cannot be identified now'),
  'list-unavailable': entry(503, 'gateway', true, 'An address list is not loaded yet'),
  'policy-failed': entry(500, 'gateway', true, 'A policy could not decide'),
  'response-rejected': entry(502, 'policy', false, 'The answer was withheld'),
  // The upstream did not answer as it should.
  'upstream-unreachable': entry(502, 'upstream', true, 'Upstream unreachable'),
  'upstream-reset': entry(502, 'upstream', true, 'Upstream closed the connection'),
  'upstream-malformed': entry(502, 'upstream', false, 'Upstream sent a malformed answer'),
  'upstream-timeout': entry(504, 'upstream', true, 'Upstream timeout'),
  'upstream-unavailable': entry(503, 'upstream', true, 'No healthy upstream target'),
  // The admin API.
  'not-found': entry(404, 'client', false, 'No such resource'),
  conflict: entry(409, 'client', false, 'Not possible as things are'),
  'rollout-in-progress': entry(409, 'client', true, 'Another revision is on its way'),
  'precondition-failed': entry(412, 'client', false, 'Another revision is active by now'),
  'invalid-document': entry(422, 'config', false, 'The document cannot be served'),
  'store-unavailable': entry(503, 'gateway', true, 'The store does not answer'),
  // The gateway itself.
  overloaded: entry(503, 'gateway', true, 'Overloaded'),
  draining: entry(503, 'gateway', true, 'Shutting down'),
  internal: entry(500, 'gateway', false, 'Internal error'),
});

export type ErrorCode = keyof typeof ERRORS;

/** One fault in a document: where it is, what it is and, where there is one, the fix. */
export interface ConfigIssue {
  /** Path in the document, e.g. `routes[0].policies[1].rate-limit.limit`. */
  readonly path: string;
  readonly message: string;
  /** File (or other name) of the source text, where the document came from several. */
  readonly file?: string;
  /** 1-based place in the source text, where the issue has one. */
  readonly line?: number;
  readonly column?: number;
  /** A fix in words, e.g. `did you mean "rate-limit"?`. */
  readonly suggestion?: string;
}

/** A document (or a policy's config in it) cannot be served. Carries every issue found, never just the first. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[], options?: ErrorOptions) {
    super(issues.map((i) => (i.path === '' ? i.message : `${i.path}: ${i.message}`)).join('\n'), options);
    this.issues = issues;
  }

  /** One issue at `path`, relative to the config being compiled (`''` for the config itself). */
  static at(path: string, message: string, suggestion?: string): ConfigError {
    return new ConfigError([suggestion === undefined ? { path, message } : { path, message, suggestion }]);
  }
}

/**
 * A refusal that is data, not an exception: no stack is taken, since an attacker chooses how many there are.
 * `detail` is public text; `reason` is for the record and `explain` only.
 */
export class PolicyRejection {
  readonly code: ErrorCode;
  readonly detail: string;
  /** Which rule of the policy decided, e.g. `deny[2]`; stable for the same config. */
  readonly rule: string | undefined;
  readonly reason: string | undefined;
  /** Extra answer headers as a flat list: name, value, name, value. */
  readonly headers: readonly string[];
  /** Overrides the table's status. */
  readonly status: number;
  /** What the answer says instead of the error in our own words; undefined for those. */
  readonly body: RejectionBody | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    more: {
      rule?: string;
      reason?: string;
      headers?: readonly string[];
      status?: number;
      body?: RejectionBody;
    } = {},
  ) {
    this.code = code;
    this.detail = detail;
    this.rule = more.rule;
    this.reason = more.reason;
    this.headers = more.headers ?? NO_HEADERS;
    this.status = more.status ?? ERRORS[code].status;
    this.body = more.body;
  }
}

/** The words of somebody else who refused: of a service that was asked. */
export interface RejectionBody {
  /** Value of `Content-Type`. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

const NO_HEADERS: readonly string[] = Object.freeze([]);

/**
 * A policy cannot decide, for a reason that has a code of its own: whoever could tell does not answer. Thrown, so that
 * the attachment's `onError` says what becomes of the request. The edits asked for before stand, unlike those of a
 * policy that broke: what only the policy may say to the upstream is taken from the client's request in any case.
 */
export class PolicyFailure extends Error {
  override readonly name = 'PolicyFailure';
  readonly rejection: PolicyRejection;

  /** `detail` is public, `reason` for the record; `headers` go with the answer: name, value, name, value. */
  constructor(
    code: ErrorCode,
    detail: string,
    reason: string,
    options?: ErrorOptions & { readonly headers?: readonly string[] },
  ) {
    super(reason, options);
    this.rejection = new PolicyRejection(code, detail, { reason, headers: options?.headers ?? NO_HEADERS });
  }
}

/** The client's message is refused before any policy saw it. Returned, not thrown, on the request path. */
export class RequestError {
  readonly code: ErrorCode;
  /** Machine-readable cause counted in metrics, e.g. `bare-lf`. Bounded set. */
  readonly reason: string;
  readonly detail: string;

  constructor(code: ErrorCode, reason: string, detail: string) {
    this.code = code;
    this.reason = reason;
    this.detail = detail;
  }
}

/** The upstream failed. `cause` is for logs only. */
export class UpstreamError {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly cause: unknown;

  constructor(code: ErrorCode, detail: string, cause?: unknown) {
    this.code = code;
    this.detail = detail;
    this.cause = cause;
  }
}

export type NetworkFailure = 'offline' | 'unreachable' | 'timeout' | 'too-large' | 'malformed';

/** A policy's own exchange with the outside failed. The message names the server and the failure, nothing of the content. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  readonly failure: NetworkFailure;

  constructor(failure: NetworkFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** A state that cannot be, by our own logic. Thrown; always a defect. */
export class InternalError extends Error {
  override readonly name = 'InternalError';
}
