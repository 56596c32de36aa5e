import { mixtureRatio } from './evidence.ts';

/** How often something happened among how many, by some grouping. */
export interface Counts {
  readonly hits: readonly number[];
  readonly of: readonly number[];
}

/** What one revision did: by groups of callers, and by stretches of time that are the same for both. */
export interface ArmCounts {
  readonly byCaller: Counts;
  readonly byTime: Counts;
}

/** What the candidate's rate may be: the greater of `factor` times the baseline's and `margin` above it. */
export interface RateBound {
  readonly factor: number;
  readonly margin: number;
  /** The size of an excess that matters. */
  readonly scale: number;
  /**
   * The margin where the candidate has so few groups of callers that nobody can tell a change from one odd caller;
   * undefined: then nothing is said.
   */
  readonly marginOfFew: number | undefined;
}

export interface RateComparison {
  readonly baseline: number;
  readonly canary: number;
  readonly allowed: number;
  /** See `mixtureRatio`. Undefined: there is nothing to compare. */
  readonly ratio: number | undefined;
}

const LEAST_GROUPS = 3;
/** No group counts for more than the others together, as long as there are enough of them. */
const LEAST_OTHERS = 3;
/** So few hits are what every day brings. */
const LEAST_HITS = 5;

/**
 * Compares how often something happens in two arms, in ways of which the strongest counts: over all requests, over groups of
 * callers without the extreme ones and, where one group sends more than the others together, without that. Requests are not independent: those of one caller fail together, and so do
 * those of one moment.
 */
export function compareRates(all: ArmCounts, allOfCanary: ArmCounts, bound: RateBound): RateComparison {
  const baseline = withLoudest(all, 1 / 2);
  const canary = withLoudest(allOfCanary, 1 / 2);
  const before = rateOf(baseline.byCaller);
  const now = rateOf(canary.byCaller);
  const compared = { baseline: before.rate, canary: now.rate, allowed: allowedBy(bound, before.rate) };
  const isFew = canary.byCaller.of.filter((n) => n > 0).length < LEAST_GROUPS;
  if (before.of === 0 || now.of === 0) return { ...compared, ratio: undefined };
  if (isFew) return { ...compared, ratio: ofFew(baseline, canary, bound) };
  if (now.hits < LEAST_HITS) return { ...compared, ratio: 0 };
  const whole = overAll(baseline, canary, before, now, bound);
  const most = Math.max(whole, typical(baseline.byCaller, canary.byCaller, bound));
  // As many chances to be wrong.
  if (baseline.byCaller === all.byCaller && canary.byCaller === allOfCanary.byCaller)
    return { ...compared, ratio: most / 2 };
  return { ...compared, ratio: Math.max(most, overOthers(all, allOfCanary, bound)) / 3 };
}

/**
 * An arm in which no group drowns out the others: what one sends beyond half of all counts no more (`share` of 1/2), or nothing
 * of it (0). Somebody who floods one revision with what it refuses, or with what it does not, decides nothing. By how much each
 * has sent alone, so that it says nothing of what is measured.
 */
function withLoudest({ byCaller, byTime }: ArmCounts, share: number): ArmCounts {
  const { hits, of } = byCaller;
  const loudest = of.indexOf(Math.max(...of));
  const others = sum(of) - of[loudest];
  const groups = of.filter((n) => n > 0).length;
  if (groups <= LEAST_OTHERS || of[loudest] <= others) return { byCaller, byTime };
  const most = (others * share) / (1 - share);
  const kept = most / of[loudest];
  return {
    byCaller: { hits: hits.with(loudest, hits[loudest] * kept), of: of.with(loudest, most) },
    byTime,
  };
}

/** A canary of one consumer has no other callers: time alone tells how far its requests go together. */
function ofFew(baseline: ArmCounts, canary: ArmCounts, bound: RateBound): number | undefined {
  const { marginOfFew } = bound;
  if (marginOfFew === undefined) return undefined;
  const now = rateOf(canary.byCaller);
  if (now.hits < LEAST_HITS) return 0;
  const byTime = { byCaller: canary.byTime, byTime: canary.byTime };
  return overAll(baseline, byTime, rateOf(baseline.byCaller), now, { ...bound, margin: marginOfFew }) / 2;
}

/** Of all but the loudest: what it sends may hide what becomes of them. */
function overOthers(baseline: ArmCounts, canary: ArmCounts, bound: RateBound): number {
  const others = withLoudest(baseline, 0);
  const othersOfCanary = withLoudest(canary, 0);
  const now = rateOf(othersOfCanary.byCaller);
  if (now.hits < LEAST_HITS) return 0;
  return overAll(others, othersOfCanary, rateOf(others.byCaller), now, bound);
}

interface Rate {
  readonly hits: number;
  readonly of: number;
  readonly rate: number;
}

function rateOf({ hits, of }: Counts): Rate {
  const sum = hits.reduce((a, b) => a + b, 0);
  const total = of.reduce((a, b) => a + b, 0);
  return { hits: sum, of: total, rate: total === 0 ? 0 : sum / total };
}

const allowedBy = ({ factor, margin }: RateBound, rate: number): number =>
  Math.max(factor * rate, rate + margin);

/** How the bound moves with the baseline's rate. */
const slopeAt = ({ factor, margin }: RateBound, rate: number): number =>
  factor * rate > rate + margin ? factor : 1;

/**
 * The variance is the largest of three: as if requests were independent, by groups of callers, and by stretches of time
 * (cluster-robust, as for ratio estimators: Deng et al., "Applying the Delta Method in Metric Analytics", 2018).
 */
function overAll(baseline: ArmCounts, canary: ArmCounts, before: Rate, now: Rate, bound: RateBound): number {
  const slope = slopeAt(bound, before.rate);
  const variance = Math.max(
    chance(now) + slope * slope * chance(before),
    clustered(canary.byCaller, now) + slope * slope * clustered(baseline.byCaller, before),
    inStep(canary.byTime, now, baseline.byTime, before, slope),
  );
  return mixtureRatio(now.rate - allowedBy(bound, before.rate), variance, bound.scale);
}

/** Of independent requests; one more of each kind than there was, so that none seen is not taken for none possible. */
function chance({ hits, of }: Rate): number {
  const rate = (hits + 1) / (of + 2);
  return (rate * (1 - rate)) / of;
}

/**
 * A variance that few groups tell may be far too small by chance: by how much it is to be taken for larger. Close to the
 * square of how much further out Student's t lies than the normal at a chance of 1 in 4,000 (1.23 for 32 groups, 3 for 8).
 */
const distrustOf = (groups: number): number => 1 + 40 / (groups - 1) ** 1.5;

/** From how groups differ; the fewer there are, the less that can be trusted. */
function clustered({ hits, of }: Counts, total: Rate): number {
  let groups = 0;
  let squares = 0;
  for (const [g, n] of of.entries()) {
    if (n === 0) continue;
    groups++;
    squares += (hits[g] - total.rate * n) ** 2;
  }
  if (groups < 2) return 0;
  return (squares / total.of ** 2) * (groups / (groups - 1)) * distrustOf(groups);
}

/** From how the difference moved from stretch to stretch: what hits both arms at once is no difference. */
function inStep(canary: Counts, now: Rate, baseline: Counts, before: Rate, slope: number): number {
  let stretches = 0;
  let squares = 0;
  // Of all callers, as stretches are not kept by caller.
  const rates = [rateOf(canary).rate, rateOf(baseline).rate];
  for (const [i, n] of canary.of.entries()) {
    const m = baseline.of[i];
    if (n === 0 && m === 0) continue;
    stretches++;
    const above = (canary.hits[i] - rates[0] * n) / now.of;
    const around = (baseline.hits[i] - rates[1] * m) / before.of;
    squares += (above - slope * around) ** 2;
  }
  return stretches < 2 ? 0 : squares * (stretches / (stretches - 1));
}

/** Of the groups, so many are left out at either end. */
const TRIMMED = 0.25;
/** With fewer groups their middle is nobody in particular. */
const LEAST_TYPICAL = 8;
/** Groups that have sent fewer have no rate yet. */
const LEAST_OF_GROUP = 20;

/**
 * What harms all callers a little shows in the groups that are neither the best nor the worst, however much a few odd
 * callers fail (trimmed means: Yuen, 1974). Not where the candidate has more callers than the baseline: groups of many
 * are more alike, and their middle lies higher.
 */
function typical(baseline: Counts, canary: Counts, bound: RateBound): number {
  const before = ratesOf(baseline);
  const now = ratesOf(canary);
  if (before.length < LEAST_TYPICAL || now.length < LEAST_TYPICAL) return 0;
  if (sum(canary.of) > 1.2 * sum(baseline.of)) return 0;
  const base = middleOf(before);
  const candidate = middleOf(now);
  const slope = slopeAt(bound, base.mean);
  const variance = Math.max(
    candidate.variance + slope * slope * base.variance,
    (candidate.mean + 1 / sum(canary.of)) / sum(canary.of),
  );
  return mixtureRatio(candidate.mean - allowedBy(bound, base.mean), variance, bound.scale);
}

const ratesOf = ({ hits, of }: Counts): number[] =>
  of.flatMap((n, g) => (n < LEAST_OF_GROUP ? [] : [hits[g] / n])).sort((a, b) => a - b);

/** Mean of the middle ones, and its variance by winsorising. */
function middleOf(sorted: readonly number[]): { readonly mean: number; readonly variance: number } {
  const n = sorted.length;
  const cut = Math.floor(n * TRIMMED);
  const kept = sorted.slice(cut, n - cut);
  const mean = sum(kept) / kept.length;
  const drawn = sorted.map((rate) => Math.min(Math.max(rate, kept[0]), kept[kept.length - 1]));
  const centre = sum(drawn) / n;
  const squares = drawn.reduce((all, rate) => all + (rate - centre) ** 2, 0);
  return { mean, variance: (squares / (kept.length * (kept.length - 1))) * distrustOf(kept.length) };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
