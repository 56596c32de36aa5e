import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type ArmFigures,
  CALLER_GROUPS,
  type FlipCount,
  type JudgedOutcome,
  LATENCY_BUCKETS,
  MAX_FLIP_KINDS,
  type TrialFigures,
} from '../contract/index.ts';
import { noFigures, sumFigures } from './trial-figures.ts';

const NAME = { rollout: 'r1', revision: 'b'.repeat(64) };

const forward: JudgedOutcome = {
  kind: 'forward',
  status: 0,
  route: 'orders',
  by: undefined,
  policy: undefined,
  code: undefined,
  rule: undefined,
};

const denied = (rule: string): JudgedOutcome => ({
  ...forward,
  kind: 'reject',
  status: 403,
  by: 'route:orders/acl',
  policy: 'acl',
  code: 'access-denied',
  rule,
});

const flip = (rule: string, count: number, examples: readonly string[] = []): FlipCount => ({
  flip: 'allowed-to-denied',
  before: forward,
  after: denied(rule),
  consumer: 'mobile',
  count,
  examples,
});

const only = (length: number, at: number, n: number): readonly number[] =>
  Array.from({ length }, (_, i) => (i === at ? n : 0));

const arm = (group: number, n: number): ArmFigures => ({
  requests: only(CALLER_GROUPS, group, n),
  denied: only(CALLER_GROUPS, group, n - 1),
  gatewayErrors: only(CALLER_GROUPS, group, 2),
  upstreamErrors: only(CALLER_GROUPS, group, 1),
  latency: only(LATENCY_BUCKETS, group * 2, n),
});

const figures = (parts: Partial<TrialFigures>): TrialFigures => ({ ...noFigures(NAME), ...parts });

describe('figures of a trial, summed over workers', () => {
  it('is nothing for no worker', () => {
    assert.deepEqual(sumFigures(NAME, []), noFigures(NAME));
    assert.equal(noFigures(NAME).canary.requests.length, CALLER_GROUPS);
    assert.equal(noFigures(NAME).canary.latency.length, LATENCY_BUCKETS);
  });

  it('adds each group, bucket and reason to its own', () => {
    const one = figures({
      baseline: arm(1, 10),
      canary: arm(2, 3),
      shadow: {
        ...noFigures(NAME).shadow,
        judged: 5,
        same: 4,
        undecided: { body: 2 },
        leftOut: 1,
        costMs: 0.5,
      },
    });
    const other = figures({
      baseline: arm(1, 5),
      shadow: { ...noFigures(NAME).shadow, judged: 1, undecided: { body: 1, network: 3 }, otherFlips: 2 },
    });
    const { baseline, canary, shadow } = sumFigures(NAME, [one, other]);
    assert.deepEqual(baseline.requests, only(CALLER_GROUPS, 1, 15));
    assert.deepEqual(baseline.denied, only(CALLER_GROUPS, 1, 13));
    assert.deepEqual(baseline.gatewayErrors, only(CALLER_GROUPS, 1, 4));
    assert.deepEqual(baseline.upstreamErrors, only(CALLER_GROUPS, 1, 2));
    assert.deepEqual(baseline.latency, only(LATENCY_BUCKETS, 2, 15));
    assert.deepEqual(canary, arm(2, 3));
    assert.deepEqual(shadow, {
      judged: 6,
      same: 4,
      flips: [],
      otherFlips: 2,
      undecided: { body: 3, network: 3 },
      leftOut: 1,
      costMs: 0.5,
    });
  });

  it('puts flips of one kind together, with a few examples', () => {
    const withFlips = (...flips: FlipCount[]) => figures({ shadow: { ...noFigures(NAME).shadow, flips } });
    const { shadow } = sumFigures(NAME, [
      withFlips(flip('1', 2, ['a', 'b', 'c', 'd'])),
      withFlips(flip('2', 1, ['x']), flip('1', 3, ['e', 'f', 'g'])),
    ]);
    assert.deepEqual(shadow.flips, [flip('1', 5, ['a', 'b', 'c', 'd', 'e']), flip('2', 1, ['x'])]);
  });

  it('counts flips of too many kinds together', () => {
    const many = (from: number) => {
      const flips = Array.from({ length: MAX_FLIP_KINDS }, (_, i) => flip(`${from + i}`, 1));
      return figures({ shadow: { ...noFigures(NAME).shadow, flips } });
    };
    const { shadow } = sumFigures(NAME, [many(0), many(150)]);
    // By what decided alone: a gate that looks at what is denied sees them all the same.
    assert.deepEqual([shadow.flips.length, shadow.otherFlips], [MAX_FLIP_KINDS + 1, 0]);
    const { count, consumer } = shadow.flips[MAX_FLIP_KINDS];
    assert.deepEqual([count, consumer], [150, undefined]);
  });
});
