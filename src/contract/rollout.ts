import type { CanaryCohort, ShadowShare } from './candidate.ts';

/** One step on which part of the traffic is decided by the candidate. */
export interface CanaryStep {
  readonly cohort: CanaryCohort;
  /** How long it is held at least. In milliseconds. */
  readonly forMs: number;
}

/** What a rollout must hold to go on. Undefined: not looked at. */
export interface Gates {
  /** How much more may be denied than by the active revision, relative to it: 0.2 for +20 %. */
  readonly denyRate: number | undefined;
  /** By how much of all requests errors may be more: 0.01 for one percentage point. */
  readonly errorRate: number | undefined;
  /** How much slower the 99th percentile may be, relative to the active revision's. */
  readonly p99: number | undefined;
  /** At most this share of requests may be judged otherwise than by the active revision. */
  readonly flips: number | undefined;
}

/** How a revision of a document goes live; compiled from its `rollout`. */
export interface RolloutPlan {
  /** Undefined: recorded traffic is not asked. */
  readonly replay: { readonly recordsMs: number; readonly maxFlips: number } | undefined;
  /** How many others have to agree. */
  readonly approvals: number;
  /** Undefined: it goes on without. */
  readonly shadow: (ShadowShare & { readonly forMs: number }) | undefined;
  /** In order; none: it is active at once. */
  readonly steps: readonly CanaryStep[];
  readonly gates: Gates;
}
