import type {
  DecisionEntry,
  JudgedOutcome,
  Mode,
  Outcome,
  Phase,
  Undecidable,
} from '../../contract/index.ts';

/** Something a policy looked at, fit to be shown: what is secret, or could be, is not there. */
export interface ExplainedInput {
  /** As conditions call it: `request.path`, `request.headers.accept`, `identity.groups`. */
  readonly name: string;
  readonly value: string;
}

/** A counter a policy asked, and what it said. */
export interface ExplainedCounter {
  readonly kind: 'gcra' | 'sliding-window' | 'fixed-window' | 'quota' | 'slots' | 'sum';
  /** What is counted, e.g. `consumer mobile-app`. */
  readonly key: string;
  /** What it may come to; undefined for a sum, which is not limited. */
  readonly limit: number | undefined;
  readonly allowed: boolean;
  /** What is left after this request, or for a sum what there is. */
  readonly remaining: number;
  /** Until it would be allowed, in milliseconds; 0 where it is. */
  readonly retryAfterMs: number;
}

/** What an attachment said in one phase. */
export interface ExplainedDecision {
  readonly phase: Phase;
  readonly outcome: Outcome;
  readonly code: string | undefined;
  readonly rule: string | undefined;
  readonly reason: string | undefined;
}

/** One attachment's part. In the order in which they are asked. */
export interface ExplainedAttachment {
  readonly attachment: string;
  readonly policy: string;
  readonly mode: Mode;
  /** Empty for one that was not asked: the request was decided before, or it has no such phase. */
  readonly decisions: readonly ExplainedDecision[];
  readonly inputs: readonly ExplainedInput[];
  readonly counters: readonly ExplainedCounter[];
  /** Median of several judgements, in microseconds; undefined for one that was not asked, or taken as satisfied. */
  readonly costUs: number | undefined;
  /** Whether who calls was taken as proved to it, so that it did not look at a credential. */
  readonly takenAsProved: boolean;
}

/** A departure from what is, and what would become of the request then. */
export interface ExplainedChange {
  /** `without`: the attachment were not there; `enforced`: it is in shadow, and were in force. */
  readonly kind: 'without' | 'enforced';
  readonly attachment: string;
  readonly outcome: JudgedOutcome;
}

/** What was decided when the request came. */
export interface AsRecorded {
  readonly revision: string;
  readonly outcome: JudgedOutcome;
  readonly decisions: readonly DecisionEntry[];
  /** From the head to the end, in milliseconds. */
  readonly durationMs: number;
}

/** Why a request is decided as it is. */
export interface Explanation {
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly method: string;
  /** Without what is secret in it. */
  readonly target: string;
  readonly listener: string;
  /** The revision that explains. */
  readonly revision: string;
  /** Who calls, as that revision knows it; undefined for a stranger. */
  readonly consumer: string | undefined;
  readonly outcome: JudgedOutcome;
  /** Why the outcome would be a guess; undefined where it is sure. */
  readonly undecided: Undecidable | undefined;
  /** What was decided when it came; undefined for a request that has not happened. */
  readonly recorded: AsRecorded | undefined;
  readonly attachments: readonly ExplainedAttachment[];
  readonly changes: readonly ExplainedChange[];
}
