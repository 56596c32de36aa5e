import type { DecisionEntry } from './decision.ts';
import type { ClientCertificate, Identity } from './request.ts';

/** What became of one request: by whom it was decided and how. Comparable between revisions. */
export interface JudgedOutcome {
  /** `forward`: it went on to the upstream. `refused`: before any policy was asked. */
  readonly kind: 'forward' | 'reject' | 'respond' | 'refused';
  /** Of the gateway's own answer; 0 for a request that went on. */
  readonly status: number;
  /** Name of the route; '' where none took it. */
  readonly route: string;
  /** Id of the attachment that decided; undefined where the gateway itself did, or the request went on. */
  readonly by: string | undefined;
  readonly policy: string | undefined;
  /** For `reject` and `refused`: the error code. */
  readonly code: string | undefined;
  readonly rule: string | undefined;
}

/**
 * How a second judgement of one request differs from the first. `moved`: both let it on, but to another route;
 * `other-reason`: both refuse it, or neither does, and yet the answer or who gives it is another.
 */
export type Flip = 'allowed-to-denied' | 'denied-to-allowed' | 'other-reason' | 'moved';

/**
 * Why a second judgement of a request would be a guess. `credential`: it asked for one that is not kept. `body`: it
 * asked for a body that is not kept, or not whole. `network`: a policy had to ask somebody outside. `sampled`: a limit
 * counted where only a sample of the requests is kept. `upstream`: it goes by an answer that there was none of.
 * `failed`: a policy failed in it. `unknown`: it asked for a part of the request that an import does not tell of.
 */
export type Undecidable = 'credential' | 'body' | 'network' | 'sampled' | 'upstream' | 'failed' | 'unknown';

/** Parts of a request of which an import does not say whether they were there. */
export interface UnknownParts {
  /** Names of header fields in lower case; `all`: every one that is not listed. */
  readonly headers: readonly string[] | 'all';
  readonly query: boolean;
  /** The other end of the connection, and whoever it may have forwarded for. */
  readonly peer: boolean;
  /** What the client proved itself with in a TLS handshake. */
  readonly certificate: boolean;
}

/** The body of a recorded request. */
export type RecordedBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  /** `withheld`: it held what looks like a secret. `size`: bytes that came. */
  | { readonly kind: 'missing'; readonly size: number; readonly why: 'too-large' | 'withheld' | 'not-read' };

/**
 * One request as it was recorded, so that another revision can judge it. Credentials are never in it: the identity
 * that they proved is.
 */
export interface RecordedRequest {
  readonly requestId: string;
  /** When its evaluation began, in milliseconds since the epoch. */
  readonly atMs: number;
  /** From its head to its end. */
  readonly durationMs: number;
  /** The revision that decided it; '' for an import. */
  readonly revision: string;
  readonly listener: string;
  readonly scheme: 'http' | 'https';
  /** The other end of its connection. */
  readonly peer: string;
  readonly method: string;
  /** Path and query; values of parameters that are secrets are withheld. */
  readonly target: string;
  readonly httpVersion: '1.0' | '1.1' | '2';
  /** As they came: name, value, name, value. What is withheld has an empty value. */
  readonly headers: readonly string[];
  /** What is not in it: names of header fields in lower case, and names of query parameters as decoded. */
  readonly withheld: {
    readonly headers: readonly string[];
    readonly query: readonly string[];
    /** Segments of the path that were secrets: `withheld` stands in place of each. Left out where there is none. */
    readonly path?: true;
    /** Names of claims of the identity that were secrets, or too large. Left out where there is none. */
    readonly claims?: readonly string[];
    /** Only of an import: what it does not tell of, so that nobody knows whether it was there. */
    readonly unknown?: UnknownParts;
  };
  readonly body: RecordedBody;
  readonly certificate: ClientCertificate | undefined;
  /** Who called, as proved then. */
  readonly identity: Identity | undefined;
  /** What was decided then; undefined for an import that does not tell. */
  readonly outcome: JudgedOutcome | undefined;
  readonly decisions: readonly DecisionEntry[];
  /** How the upstream answered; undefined where it was not asked, or did not. */
  readonly upstream: { readonly status: number; readonly ms: number } | undefined;
  /**
   * For how many requests it stands: 1 where all of its kind were kept at that time, more where it is one of a sample.
   */
  readonly weight: number;
}

/** What workers keep of the requests they serve, so that a draft can be judged by them. */
export interface RecordingPlan {
  /** Of each worker: up to so many are kept whole, of what is more a sample. */
  readonly requestsPerSecond: number;
  /** A longer body is left out; 0 for every one. */
  readonly bodyBytes: number;
  /** Older records are deleted. */
  readonly keepMs: number;
  /** Of the files of all workers: over it the oldest records are deleted. */
  readonly maxBytes: number;
  /** What the document's own policies read credentials from: never kept. */
  readonly credentials: CredentialFields;
}

/** Where callers present credentials: the values there are never recorded. */
export interface CredentialFields {
  /** Names of header fields in lower case. */
  readonly headers: readonly string[];
  /** Names of query parameters as decoded. */
  readonly query: readonly string[];
}
