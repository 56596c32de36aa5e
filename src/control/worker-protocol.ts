/** What the control side and a worker thread say to each other: orders one way, one answer to each back, and bans unasked. */
import type { ImposedBan, LiveUpdate, Trial, TrialReport } from '../contract/index.ts';
import type { ConfigIssue } from '../errors.ts';
import type { MeterSnapshot } from '../observability/index.ts';
import type { RecordingPlace } from '../recording/index.ts';
import type { CounterMemory, CredentialBuffers, QuotaNote, StoreSettings } from '../state/index.ts';

/** What a worker thread is started with. All of it survives `structuredClone`. */
export interface WorkerSetup {
  /** New for every thread ever started by this process. */
  readonly threadId: number;
  /** Memory of the counters that all workers share. */
  readonly counters: CounterMemory;
  /** Memory for what is counted when requests are judged a second time; undefined: none is. */
  readonly shadowCounters?: CounterMemory;
  /** The store that counts for several nodes; undefined where the memory does alone. */
  readonly store: StoreSettings | undefined;
  /** Memory of the consumers and credentials that are kept live. */
  readonly credentials: CredentialBuffers;
  /** `stdout`, `none` or the path of a file. */
  readonly records: string;
}

/** An address a worker listens on. */
export interface BoundAddress {
  readonly listener: string;
  readonly host: string;
  readonly port: number;
}

export type WorkerOrder<B> =
  | { readonly kind: 'prepare'; readonly bundle: B }
  | { readonly kind: 'activate'; readonly revision: string }
  | { readonly kind: 'discard'; readonly revision: string }
  /** Of a prepared revision. Takes effect at once, as its end does: what is said last holds. */
  | { readonly kind: 'set-trial'; readonly trial: Trial; readonly bundles: readonly B[] }
  /** Ends the trial, and drops its candidate. */
  | { readonly kind: 'end-trial' }
  /** What the trial has shown, be it one that has ended. */
  | { readonly kind: 'trial-report' }
  /** Stops accepting, lets requests end until the deadline, then closes; answered with the last metrics. */
  | { readonly kind: 'drain'; readonly deadlineMs: number }
  /** `isScrape`: gauges of the worst since the last scrape start anew. */
  | { readonly kind: 'metrics'; readonly isScrape: boolean }
  /** Which credentials were used since the last such order. */
  | { readonly kind: 'uses' }
  /** Which quotas were charged since the last such order; may be asked after a drain. */
  | { readonly kind: 'quotas' }
  /** Takes effect at once, before any order that is still under way. */
  | { readonly kind: 'live'; readonly update: LiveUpdate }
  | { readonly kind: 'addresses' }
  | { readonly kind: 'reopen-records' }
  /** Records what is served there, as far as the document says so. */
  | { readonly kind: 'record-to'; readonly place: RecordingPlace }
  /** Writes what was recorded so far; answered when it is written. */
  | { readonly kind: 'flush-recording' };

export interface OrderMessage<B> {
  /** Ties the answer to its order. */
  readonly order: number;
  readonly body: WorkerOrder<B>;
}

/** A failure that crossed threads: a document's issues stay issues, a system's code stays a code. */
export interface WorkerFailure {
  readonly issues?: readonly ConfigIssue[];
  readonly code?: string;
  readonly message: string;
}

/** Ids of credentials. */
export interface CredentialUses {
  readonly used: readonly string[];
}

export interface QuotaNotesTaken {
  readonly quotas: readonly QuotaNote[];
}

export interface TrialReported {
  /** Undefined: it was told of no trial yet. */
  readonly report: TrialReport | undefined;
}

export type AnswerValue =
  | MeterSnapshot
  | readonly BoundAddress[]
  | CredentialUses
  | QuotaNotesTaken
  | TrialReported
  | undefined;

export type AnswerMessage =
  | { readonly order: number; readonly ok: true; readonly value: AnswerValue }
  | { readonly order: number; readonly ok: false; readonly failure: WorkerFailure };

/** What a worker tells unasked: a ban that a policy imposed there. */
export interface BanMessage {
  readonly imposed: ImposedBan;
}

/** A failure in a worker that is no fault of the document. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
  /** The system's code (`EADDRINUSE`…), or undefined. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}
