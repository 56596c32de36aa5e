import { type ArmFigures, latencyBound, type TrialFigures } from '../../contract/index.ts';
import type { ArmSummary, Evidence, Finding, GateFinding, TrialEvidence } from '../../lifecycle/index.ts';

/** So many kinds of flips are kept as evidence, the most frequent ones. */
const MAX_FLIPS = 50;
const SLOWEST = 0.01;

/** What the lint has said, as it is kept; undefined where that is nothing. */
export const lintEvidence = (findings: readonly Finding[] = []): Evidence | undefined =>
  findings.length === 0 ? undefined : { kind: 'findings', findings };

/** What a trial has shown, as it is kept and shown to people. */
export function evidenceOf(figures: TrialFigures, findings: readonly GateFinding[]): TrialEvidence {
  const { judged, flips, otherFlips, leftOut } = figures.shadow;
  const sorted = flips.toSorted((one, other) => other.count - one.count);
  const rest = sorted.slice(MAX_FLIPS).reduce((sum, { count }) => sum + count, 0);
  return {
    findings,
    baseline: summaryOf(figures.baseline),
    canary: summaryOf(figures.canary),
    judged,
    flips: sorted.slice(0, MAX_FLIPS),
    otherFlips: otherFlips + rest,
    leftOut,
  };
}

function summaryOf(arm: ArmFigures): ArmSummary {
  return {
    requests: sum(arm.requests),
    denied: sum(arm.denied),
    gatewayErrors: sum(arm.gatewayErrors),
    upstreamErrors: sum(arm.upstreamErrors),
    p99Ms: p99Of(arm.latency),
  };
}

/** The upper bound of the bucket in which the slowest hundredth begins. */
function p99Of(latency: readonly number[]): number | undefined {
  const most = sum(latency) * SLOWEST;
  let above = 0;
  for (let bucket = latency.length - 1; bucket >= 0; bucket--) {
    above += latency[bucket];
    if (above > most) return latencyBound(bucket);
  }
  return undefined;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
