import type { DecisionEntry, FlipCount, JudgedOutcome, Undecidable } from '../../contract/index.ts';

/**
 * What the requests of a recording were compared with: what was decided then (`recorded`), what another revision decides on the same
 * recording (`revision`), or nothing, since an import does not tell (`nothing`).
 */
export type Baseline = 'recorded' | 'revision' | 'nothing';

/** How many requests; each record counts for as many as it stands for. */
export interface DiffTotals {
  /** All of them: the sum of the others. */
  readonly requests: number;
  readonly same: number;
  readonly allowedToDenied: number;
  readonly deniedToAllowed: number;
  readonly otherReason: number;
  readonly moved: number;
  /** What the recording cannot decide. */
  readonly undecided: number;
  /** What no document decides: overload, a ban by an operator, a client that went away. */
  readonly outside: number;
  /** With nothing to compare with: what the draft lets on, and what it does not. */
  readonly allowed: number;
  readonly denied: number;
}

/** Requests that the recording cannot decide, by why and by whose decision it would be. */
export interface UndecidedCount {
  readonly reason: Undecidable;
  /** Id of the attachment; undefined for the gateway itself, and for those that there was no place to tell apart. */
  readonly by: string | undefined;
  readonly policy: string | undefined;
  readonly count: number;
  readonly examples: readonly string[];
}

/** Requests whose fate no document decides, by what became of them. */
export interface OutsideCount {
  readonly code: string;
  readonly count: number;
}

/** What the draft decides of requests that there is nothing to compare with. */
export interface DecidedCount {
  readonly outcome: JudgedOutcome;
  readonly consumer: string | undefined;
  readonly count: number;
  readonly examples: readonly string[];
}

/** One request as both judged it, attachment by attachment. */
export interface JudgedDetail {
  readonly outcome: JudgedOutcome;
  readonly decisions: readonly DecisionEntry[];
  /** Why this judgement is a guess; undefined where it is none. */
  readonly undecided: Undecidable | undefined;
}

/** A request of the recording to look at. Nothing in it is secret. */
export interface ReplayExample {
  readonly requestId: string;
  readonly atMs: number;
  readonly listener: string;
  readonly peer: string;
  readonly method: string;
  readonly target: string;
  /** Name, value, name, value. */
  readonly headers: readonly string[];
  readonly withheld: readonly string[];
  readonly bodyBytes: number;
  readonly consumer: string | undefined;
  readonly weight: number;
  readonly before: JudgedDetail | undefined;
  readonly after: JudgedDetail;
}

/** How two revisions, or a revision and what was decided then, differ on the requests of a recording. Plain data. */
export interface DecisionDiff {
  readonly revision: string;
  readonly baseline: Baseline;
  /** With `revision`: which. */
  readonly against: string | undefined;
  /** Records that were judged, and the time of the first and the last of them; 0 where there were none. */
  readonly records: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly totals: DiffTotals;
  /**
   * Worst first: allowed to denied before the others, and more before less. Where there are too many, those for whom there
   * was no place stand together without consumer and rule.
   */
  readonly flips: readonly FlipCount[];
  /** Requests of kinds for which there was no place in `flips`. */
  readonly otherFlips: number;
  readonly undecided: readonly UndecidedCount[];
  readonly outside: readonly OutsideCount[];
  readonly decided: readonly DecidedCount[];
  /** The one that was asked for; undefined where it is not in the recording. */
  readonly example: ReplayExample | undefined;
}

/** `undecided` by reason alone. */
export function undecidedByReason({
  undecided,
}: Pick<DecisionDiff, 'undecided'>): Partial<Record<Undecidable, number>> {
  const sums: Partial<Record<Undecidable, number>> = {};
  for (const { reason, count } of undecided) sums[reason] = (sums[reason] ?? 0) + count;
  return sums;
}

/** Requests that both judged: those of which the comparison says something. */
export const comparedOf = ({ totals }: Pick<DecisionDiff, 'totals'>): number =>
  totals.same + totals.allowedToDenied + totals.deniedToAllowed + totals.otherReason + totals.moved;
