import {
  coarseFlip,
  type Flip,
  type FlipCount,
  type FlipKind,
  flipKey,
  type JudgedOutcome,
  MAX_COARSE_KINDS,
  MAX_FLIP_KINDS,
  type RecordedRequest,
} from '../../contract/index.ts';
import { comparable, flipOf } from '../../evaluator/index.ts';
import { type Counted, CountedKinds } from './counted-kinds.ts';
import type { DecidedCount, DiffTotals, OutsideCount, UndecidedCount } from './decision-diff.ts';
import type { Undecided } from './side.ts';

/** The worst first. */
const FLIPS: readonly Flip[] = ['allowed-to-denied', 'denied-to-allowed', 'other-reason', 'moved'];
const TOTAL_OF = {
  'allowed-to-denied': 'allowedToDenied',
  'denied-to-allowed': 'deniedToAllowed',
  'other-reason': 'otherReason',
  moved: 'moved',
} as const;

type Totals = { -readonly [K in keyof DiffTotals]: DiffTotals[K] };

/** Sums up what a replay finds, in bounded memory. */
export class DiffTally {
  readonly #totals: Totals = {
    requests: 0,
    same: 0,
    allowedToDenied: 0,
    deniedToAllowed: 0,
    otherReason: 0,
    moved: 0,
    undecided: 0,
    outside: 0,
    allowed: 0,
    denied: 0,
  };
  /** Each has places of its own, so that harmless ones leave room for the worst. */
  readonly #flips = new Map(FLIPS.map((flip) => [flip, new CountedKinds<FlipKind>(MAX_FLIP_KINDS)]));
  /**
   * For whom those have no place: by what decided alone. Names of callers, and the places in a body that a rule names, are
   * of the callers' choosing, who are not to hide what becomes of others.
   */
  readonly #coarse = new Map(FLIPS.map((flip) => [flip, new CountedKinds<FlipKind>(MAX_COARSE_KINDS)]));
  readonly #undecided = new CountedKinds<Undecided>(MAX_FLIP_KINDS);
  readonly #outside = new CountedKinds<string>(MAX_FLIP_KINDS);
  readonly #decided = new CountedKinds<Pick<DecidedCount, 'outcome' | 'consumer'>>(MAX_FLIP_KINDS);

  compared(
    record: RecordedRequest,
    before: JudgedOutcome,
    after: JudgedOutcome,
    consumer: string | undefined,
  ): void {
    const { weight, requestId } = record;
    this.#totals.requests += weight;
    const flip = flipOf(before, after);
    if (flip === undefined) {
      this.#totals.same += weight;
      return;
    }
    this.#totals[TOTAL_OF[flip]] += weight;
    const kind = { flip, before: comparable(before), after: comparable(after), consumer };
    if (this.#flips.get(flip)?.tryAdd(flipKey(kind), kind, weight, requestId) === true) return;
    const coarse = coarseFlip(kind);
    this.#coarse.get(flip)?.add(flipKey(coarse), coarse, weight, requestId);
  }

  undecided({ weight, requestId }: RecordedRequest, why: Undecided): void {
    this.#totals.requests += weight;
    this.#totals.undecided += weight;
    this.#undecided.add(`${why.reason} ${why.by}`, why, weight, requestId);
  }

  outside({ weight, requestId }: RecordedRequest, code: string): void {
    this.#totals.requests += weight;
    this.#totals.outside += weight;
    this.#outside.add(code, code, weight, requestId);
  }

  decided({ weight, requestId }: RecordedRequest, judged: JudgedOutcome, consumer: string | undefined): void {
    const outcome = comparable(judged);
    const isAllowed = outcome.kind === 'forward' || (outcome.kind === 'respond' && outcome.status < 400);
    this.#totals.requests += weight;
    this.#totals[isAllowed ? 'allowed' : 'denied'] += weight;
    const key = flipKey({ flip: 'moved', before: outcome, after: outcome, consumer });
    this.#decided.add(key, { outcome, consumer }, weight, requestId);
  }

  get totals(): DiffTotals {
    return { ...this.#totals };
  }

  get flips(): readonly FlipCount[] {
    return FLIPS.flatMap((flip) => this.#listOf(flip)).map(({ kind, count, examples }) => ({
      ...kind,
      count,
      examples,
    }));
  }

  get otherFlips(): number {
    return [...this.#coarse.values()].reduce((sum, { others }) => sum + others, 0);
  }

  #listOf(flip: Flip): readonly Counted<FlipKind>[] {
    const lists = [this.#flips, this.#coarse].flatMap((kinds) => kinds.get(flip)?.list ?? []);
    return lists.sort((a, b) => b.count - a.count);
  }

  get undecidedCounts(): readonly UndecidedCount[] {
    return this.#undecided.list.map(({ kind, count, examples }) => ({ ...kind, count, examples }));
  }

  get outsideCounts(): readonly OutsideCount[] {
    return this.#outside.list.map(({ kind: code, count }) => ({ code, count }));
  }

  get decidedCounts(): readonly DecidedCount[] {
    return this.#decided.list.map(({ kind, count, examples }) => ({ ...kind, count, examples }));
  }
}
