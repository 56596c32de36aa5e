import {
  type ArmFigures,
  type Flip,
  type Gates,
  LATENCY_BUCKETS,
  latencyBound,
  type ShadowFigures,
  type TrialFigures,
} from '../../contract/index.ts';
import { mixtureRatio, surenessOf } from './evidence.ts';
import { type ArmCounts, compareRates, type RateBound, type RateComparison } from './rate-comparison.ts';
import { Stretches } from './stretches.ts';

/** What is looked at. Errors are looked at by who is to blame, so that a sound upstream does not hide a broken gateway. */
export type GateName = 'denyRate' | 'gatewayErrors' | 'upstreamErrors' | 'p99' | 'flips';

/** What one gate says. Rates are shares of requests; of `p99` they are milliseconds. */
export interface GateFinding {
  readonly gate: GateName;
  /** `unseen`: there is too little to compare. */
  readonly state: 'held' | 'broken' | 'unseen';
  readonly baseline: number;
  readonly canary: number;
  /** What the candidate's may be at most. */
  readonly allowed: number;
  /** How sure it is that the candidate is beyond that; 0 to 1. Holds however often it is asked. */
  readonly sureness: number;
}

export interface GateVerdict {
  /** `hold`: too little was seen to go on, or what was seen looks bad without being sure. */
  readonly verdict: 'hold' | 'broken' | 'passed';
  readonly findings: readonly GateFinding[];
}

/** A gate is broken at once in 2,000 quiet steps: rollouts have several gates and several steps. */
const BROKEN_RATIO = 2000;
/** So sure that it is broken, nobody goes on: it waits until it is surer, or not any more. */
export const SUSPECTED = 0.9;
/** A rate that was 0 has no percents: so much more is allowed of all requests. */
const LEAST_MARGIN = 0.001;
/** Fewer requests by the candidate show nothing. */
const LEAST_REQUESTS = 50;
/** The slowest hundredth has to be more than a few. */
const LEAST_FOR_P99 = 500;
const SLOWEST = 0.01;
/** A canary of a caller or two is not taken for broken by its upstream's errors unless most of its requests fail. */
const MOST_OF_FEW = 0.5;
/** What is to be seen soonest: two requests of a hundred. */
const EFFECT = 0.02;

/**
 * Watches one step of a rollout: the candidate's figures against those of the active revision at the same time. Pure: it
 * knows only what it is told, in order.
 */
export class GateWatch {
  readonly #gates: Gates;
  readonly #stretches = new Stretches(2 * (4 + LATENCY_BUCKETS));
  #latest: TrialFigures | undefined;

  constructor(gates: Gates) {
    this.#gates = gates;
  }

  /** Takes the figures of the trial so far; told at even intervals, such as four times a second. */
  observe(figures: TrialFigures): void {
    this.#latest = figures;
    this.#stretches.add([...totalsOf(figures.baseline), ...totalsOf(figures.canary)]);
  }

  /** Asked as often as one likes. `decides`: whether requests are decided by the candidate; in shadow only flips count. */
  judge(decides: boolean): GateVerdict {
    const figures = this.#latest;
    if (figures === undefined) return { verdict: 'hold', findings: [] };
    const findings = [...(decides ? this.#compare(figures) : []), ...this.#flips(figures)];
    if (findings.some(({ state }) => state === 'broken')) return { verdict: 'broken', findings };
    const seen = decides ? sum(figures.canary.requests) : figures.shadow.judged;
    const isSuspected = findings.some(({ sureness }) => sureness >= SUSPECTED);
    return { verdict: isSuspected || seen < LEAST_REQUESTS ? 'hold' : 'passed', findings };
  }

  #compare({ baseline, canary, shadow }: TrialFigures): GateFinding[] {
    const { denyRate, errorRate, p99 } = this.#gates;
    const findings: GateFinding[] = [];
    if (denyRate !== undefined) {
      const bound = { factor: 1 + denyRate, margin: LEAST_MARGIN, scale: EFFECT, marginOfFew: undefined };
      const byArms = this.#rate('denyRate', baseline, canary, 1, bound);
      const byPairs = deniedInPairs(shadow, byArms);
      findings.push(byPairs.sureness > byArms.sureness ? byPairs : byArms);
    }
    if (errorRate !== undefined) {
      const bound = { factor: 1, margin: errorRate, scale: EFFECT };
      // No caller is to blame for what the gateway itself fails at; at an upstream it may be one that asks for it.
      const own = { ...bound, marginOfFew: errorRate };
      findings.push(this.#rate('gatewayErrors', baseline, canary, 2, own));
      findings.push(
        this.#rate('upstreamErrors', baseline, canary, 3, { ...bound, marginOfFew: MOST_OF_FEW }),
      );
    }
    if (p99 !== undefined) findings.push(this.#p99(baseline, canary, p99));
    return findings;
  }

  /** `what`: its place among the totals. */
  #rate(gate: GateName, before: ArmFigures, now: ArmFigures, what: number, bound: RateBound): GateFinding {
    return finding(
      gate,
      compareRates(this.#counts(before, what, 0), this.#counts(now, what, ARM_SIZE), bound),
    );
  }

  #counts(arm: ArmFigures, what: number, at: number): ArmCounts {
    return {
      byCaller: { hits: byGroup(arm, what), of: arm.requests },
      byTime: { hits: this.#stretches.growth(at + what), of: this.#stretches.growth(at) },
    };
  }

  /**
   * The slowest hundredth of the baseline begins at its 99th percentile; of the candidate's requests not more than that
   * hundredth may be slower than so much and the allowance.
   */
  #p99(before: ArmFigures, now: ArmFigures, more: number): GateFinding {
    const from = bucketOfShare(before.latency, SLOWEST);
    const baseline = latencyBound(from);
    const allowed = baseline * (1 + more);
    const canary = latencyBound(bucketOfShare(now.latency, SLOWEST));
    const isSeen = sum(before.latency) >= LEAST_FOR_P99 && sum(now.latency) >= LEAST_FOR_P99;
    if (!isSeen) return finding('p99', { baseline, canary, allowed, ratio: undefined });
    const beyond = bucketAbove(allowed);
    const slow = this.#slow(0, from + 1);
    const slower = this.#slow(ARM_SIZE, beyond);
    const bound = { factor: 1, margin: LEAST_MARGIN, scale: EFFECT, marginOfFew: undefined };
    const { ratio } = compareRates(slow, slower, bound);
    return finding('p99', { baseline, canary, allowed, ratio });
  }

  /** Requests in buckets from `bucket` on, by time alone: durations are not kept by caller. */
  #slow(at: number, bucket: number): ArmCounts {
    const first = at + 4;
    const growths = Array.from({ length: LATENCY_BUCKETS }, (_, b) => this.#stretches.growth(first + b));
    const stretches = growths[0].length;
    const hits = new Array<number>(stretches).fill(0);
    const of = new Array<number>(stretches).fill(0);
    for (const [b, growth] of growths.entries()) {
      for (const [i, n] of growth.entries()) {
        of[i] += n;
        if (b >= bucket) hits[i] += n;
      }
    }
    const byTime = { hits, of };
    return { byCaller: byTime, byTime };
  }

  /** Judged twice, a request tells by itself: whatever differs is the change. */
  #flips({ shadow }: TrialFigures): GateFinding[] {
    const { flips: allowed } = this.#gates;
    if (allowed === undefined) return [];
    const { judged } = shadow;
    const flipped = shadow.flips.reduce((n, { count }) => n + count, shadow.otherFlips);
    const canary = judged === 0 ? 0 : flipped / judged;
    const rate = (flipped + 1) / (judged + 2);
    const variance = (rate * (1 - rate)) / judged;
    const ratio = judged === 0 ? undefined : mixtureRatio(canary - allowed, variance, EFFECT);
    return [finding('flips', { baseline: 0, canary, allowed, ratio })];
  }
}

/**
 * What both revisions judged tells more than two crowds of callers can: who is denied by the candidate alone. The rates are
 * those of the arms; what is allowed is the same.
 */
function deniedInPairs({ judged, flips }: ShadowFigures, arms: GateFinding): GateFinding {
  if (judged === 0) return arms;
  const flipped = (kind: Flip): number => flips.reduce((n, f) => n + (f.flip === kind ? f.count : 0), 0);
  const more = flipped('allowed-to-denied');
  const less = flipped('denied-to-allowed');
  const allowed = Math.max(arms.allowed - arms.baseline, LEAST_MARGIN);
  const rate = (more + less + 1) / (judged + 2);
  const ratio = mixtureRatio((more - less) / judged - allowed, rate / judged, EFFECT) / 2;
  return finding('denyRate', { ...arms, ratio });
}

/** Totals of one arm: requests, denied, errors of both kinds, then durations. */
const ARM_SIZE = 4 + LATENCY_BUCKETS;

function totalsOf(arm: ArmFigures): number[] {
  return [0, 1, 2, 3].map((what) => sum(byGroup(arm, what))).concat(arm.latency);
}

function byGroup(arm: ArmFigures, what: number): readonly number[] {
  if (what === 1) return arm.denied;
  if (what === 2) return arm.gatewayErrors;
  return what === 3 ? arm.upstreamErrors : arm.requests;
}

function finding(gate: GateName, { baseline, canary, allowed, ratio }: RateComparison): GateFinding {
  const state = ratio === undefined ? 'unseen' : ratio >= BROKEN_RATIO ? 'broken' : 'held';
  return { gate, state, baseline, canary, allowed, sureness: surenessOf(ratio ?? 0) };
}

/** The bucket in which the slowest `share` begins. */
function bucketOfShare(latency: readonly number[], share: number): number {
  const most = sum(latency) * share;
  let above = 0;
  for (let b = latency.length - 1; b >= 0; b--) {
    above += latency[b];
    if (above > most) return b;
  }
  return 0;
}

/** The first bucket all of which is longer than `ms`. */
function bucketAbove(ms: number): number {
  for (let b = 1; b < LATENCY_BUCKETS; b++) if (latencyBound(b - 1) >= ms) return b;
  return LATENCY_BUCKETS - 1;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
