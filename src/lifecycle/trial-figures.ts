import {
  type ArmFigures,
  CALLER_GROUPS,
  FLIP_EXAMPLES,
  type FlipCount,
  flipKey,
  LATENCY_BUCKETS,
  placeOfFlip,
  type ShadowFigures,
  type TrialFigures,
  type Undecidable,
} from '../contract/index.ts';

/** Whose figures they are. */
export type TrialName = Pick<TrialFigures, 'rollout' | 'revision'>;

const NOTHING_JUDGED: ShadowFigures = Object.freeze({
  judged: 0,
  same: 0,
  flips: [],
  otherFlips: 0,
  undecided: {},
  leftOut: 0,
  costMs: 0,
});

/** Of a trial that has seen nothing yet. */
export function noFigures({ rollout, revision }: TrialName): TrialFigures {
  return { rollout, revision, baseline: noArm(), canary: noArm(), shadow: NOTHING_JUDGED };
}

/** What several workers have seen of one trial. The order of `parts` only decides which examples are kept. */
export function sumFigures(name: TrialName, parts: readonly TrialFigures[]): TrialFigures {
  let { baseline, canary, shadow } = noFigures(name);
  for (const part of parts) {
    baseline = sumArms(baseline, part.baseline);
    canary = sumArms(canary, part.canary);
    shadow = sumShadows(shadow, part.shadow);
  }
  return { ...noFigures(name), baseline, canary, shadow };
}

const zeros = (length: number): readonly number[] => Array.from({ length }, () => 0);

function noArm(): ArmFigures {
  const none = zeros(CALLER_GROUPS);
  return {
    requests: none,
    denied: none,
    gatewayErrors: none,
    upstreamErrors: none,
    latency: zeros(LATENCY_BUCKETS),
  };
}

const sumLists = (one: readonly number[], other: readonly number[]): readonly number[] =>
  one.map((n, i) => n + other[i]);

function sumArms(one: ArmFigures, other: ArmFigures): ArmFigures {
  return {
    requests: sumLists(one.requests, other.requests),
    denied: sumLists(one.denied, other.denied),
    gatewayErrors: sumLists(one.gatewayErrors, other.gatewayErrors),
    upstreamErrors: sumLists(one.upstreamErrors, other.upstreamErrors),
    latency: sumLists(one.latency, other.latency),
  };
}

function sumShadows(one: ShadowFigures, other: ShadowFigures): ShadowFigures {
  const { flips, left } = sumFlips(one.flips, other.flips);
  return {
    judged: one.judged + other.judged,
    same: one.same + other.same,
    flips,
    otherFlips: one.otherFlips + other.otherFlips + left,
    undecided: sumUndecided(one.undecided, other.undecided),
    leftOut: one.leftOut + other.leftOut,
    costMs: one.costMs + other.costMs,
  };
}

/** `left`: flips of kinds for which there is no place. */
function sumFlips(one: readonly FlipCount[], other: readonly FlipCount[]) {
  const byKind = new Map(one.map((flip) => [flipKey(flip), flip]));
  let left = 0;
  for (const flip of other) {
    const place = placeOfFlip(flip, byKind);
    if (place === undefined) {
      left += flip.count;
      continue;
    }
    const known = byKind.get(place.key);
    byKind.set(place.key, known === undefined ? { ...flip, ...place.kind } : sumKind(known, flip));
  }
  return { flips: [...byKind.values()], left };
}

function sumKind(one: FlipCount, other: FlipCount): FlipCount {
  const examples = [...one.examples, ...other.examples].slice(0, FLIP_EXAMPLES);
  return { ...one, count: one.count + other.count, examples };
}

type Undecided = ShadowFigures['undecided'];

function sumUndecided(one: Undecided, other: Undecided): Undecided {
  const sum: Partial<Record<Undecidable, number>> = { ...one };
  for (const reason of UNDECIDABLE) {
    const count = (one[reason] ?? 0) + (other[reason] ?? 0);
    if (count > 0) sum[reason] = count;
  }
  return sum;
}

const UNDECIDABLE: readonly Undecidable[] = [
  'credential',
  'body',
  'network',
  'sampled',
  'upstream',
  'failed',
  'unknown',
];
