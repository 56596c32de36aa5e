import type { Flip, JudgedOutcome, Undecidable } from './recorded.ts';

/** Who is judged by the candidate. All that is given must hold. Plain data: it goes to every worker. */
export interface CanaryCohort {
  /** Share of callers, 0 to 1. The same callers stay in it while it only grows. */
  readonly share: number;
  /** Names of consumers; empty for any. Who is not known yet is not among them. */
  readonly consumers: readonly string[];
  /** Names of routes of the active revision; empty for any. */
  readonly routes: readonly string[];
  /** CIDR networks of clients; empty for any. */
  readonly addresses: readonly string[];
}

/** How much live traffic the candidate judges beside the active revision, without deciding anything. */
export interface ShadowShare {
  /** Of requests, 0 to 1. */
  readonly share: number;
  /** At most so much of each worker's time, as a share of one core, 0 to 1. What would cost more is left out and counted. */
  readonly budget: number;
}

/** What a worker does with a candidate that it has prepared. Replaces what it was told before. */
export interface Trial {
  /** Id of the rollout: the seed of who is in the cohort, so that not always the same callers are first. */
  readonly rollout: string;
  readonly revision: string;
  readonly shadow: ShadowShare | undefined;
  /** Undefined: nobody is judged by it. */
  readonly canary: CanaryCohort | undefined;
}

/** Callers are put into so many groups per arm, so that who compares can tell a change from a few busy callers. */
export const CALLER_GROUPS = 32;

/**
 * Upper bounds of latency buckets in milliseconds: 0.05 ms times 1.08 to the power of the index; the last takes what is
 * longer (about 100 s).
 */
export const LATENCY_BUCKETS = 190;
export const latencyBound = (bucket: number): number => 0.05 * 1.08 ** bucket;

/** What one of two revisions did with the requests it decided since the trial's cohort was set, in one worker or all. */
export interface ArmFigures {
  /** By group of callers, `CALLER_GROUPS` of them. */
  readonly requests: readonly number[];
  /** Refused by a policy or for want of a route, by group. */
  readonly denied: readonly number[];
  /** Answers of 500 and above and broken ones that are the gateway's own fault, by group. */
  readonly gatewayErrors: readonly number[];
  /** The same where the upstream is to blame: its own 5xx, and what could not be asked of it. */
  readonly upstreamErrors: readonly number[];
  /**
   * Number of requests by the time from their head to that of the upstream's answer: `LATENCY_BUCKETS` of them, of
   * requests that an upstream answered.
   */
  readonly latency: readonly number[];
}

/** One kind of difference between two revisions' judgements. */
export interface FlipKind {
  readonly flip: Flip;
  readonly before: JudgedOutcome;
  readonly after: JudgedOutcome;
  /** Name of the consumer; undefined for strangers, and for those for whom there was no place. */
  readonly consumer: string | undefined;
}

/** Differences of one kind that were seen, with the ids of a few requests to look at. */
export interface FlipCount extends FlipKind {
  readonly count: number;
  readonly examples: readonly string[];
}

/** What judging live requests a second time has shown. */
export interface ShadowFigures {
  /** Requests that both revisions judged. */
  readonly judged: number;
  readonly same: number;
  readonly flips: readonly FlipCount[];
  /** Flips of kinds for which there was no place in `flips`. */
  readonly otherFlips: number;
  readonly undecided: Readonly<Partial<Record<Undecidable, number>>>;
  /** Left out since the budget was used up. */
  readonly leftOut: number;
  /** What it cost, in milliseconds of a core. */
  readonly costMs: number;
}

/** What a trial has shown so far: of one worker, or summed over several. Counts only grow while the trial is the same. */
export interface TrialFigures {
  readonly rollout: string;
  readonly revision: string;
  readonly baseline: ArmFigures;
  readonly canary: ArmFigures;
  readonly shadow: ShadowFigures;
}

/** What one worker has seen of a trial that it was told. */
export interface TrialReport {
  readonly trial: Trial;
  readonly figures: TrialFigures;
}

/** So many kinds of flips are told apart; of others only what decided is. */
export const MAX_FLIP_KINDS = 200;
/** For those there are places of their own: how many of them there may be is the document's doing. */
export const MAX_COARSE_KINDS = 50;
/** Ids of requests kept of each kind. */
export const FLIP_EXAMPLES = 5;

/** The same text for differences of the same kind, and no other. */
export function flipKey({ flip, before, after, consumer }: FlipKind): string {
  return JSON.stringify([flip, consumer ?? null, ...outcomeWords(before), ...outcomeWords(after)]);
}

/**
 * Where a flip is counted among those that `known` holds. Where there is no place for one more kind, by what decided alone:
 * names of callers, and the places in a body that a rule names, are of the callers' choosing, and nobody is to hide what
 * becomes of others by bringing many. Undefined: not even so.
 */
export function placeOfFlip(
  kind: FlipKind,
  known: ReadonlyMap<string, unknown>,
): { readonly key: string; readonly kind: FlipKind } | undefined {
  const key = flipKey(kind);
  if (known.has(key) || known.size < MAX_FLIP_KINDS) return { key, kind };
  const coarse = coarseFlip(kind);
  const coarseKey = flipKey(coarse);
  const hasPlace = known.has(coarseKey) || known.size < MAX_FLIP_KINDS + MAX_COARSE_KINDS;
  return hasPlace ? { key: coarseKey, kind: coarse } : undefined;
}

/** What decided, whoever it was and wherever in a request. */
export const coarseFlip = ({ flip, before, after }: FlipKind): FlipKind => ({
  flip,
  before: { ...before, rule: undefined },
  after: { ...after, rule: undefined },
  consumer: undefined,
});

const outcomeWords = (outcome: JudgedOutcome): readonly (string | number | null)[] => {
  const { kind, status, route, by, policy, code, rule } = outcome;
  return [kind, status, route, by ?? null, policy ?? null, code ?? null, rule ?? null];
};
