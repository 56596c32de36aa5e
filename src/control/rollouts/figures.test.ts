import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BASE, EMPTY_PLAN, REVISION } from '../../../test/fixtures/rollouts/rollout-parts.ts';
import { bundleOf, RunnerWorld } from '../../../test/fixtures/rollouts/runner-world.ts';
import type { FlipCount, TrialFigures } from '../../contract/index.ts';
import { noFigures } from '../../lifecycle/index.ts';
import { evidenceOf, lintEvidence } from './figures.ts';

const NONE = noFigures({ rollout: 'r1', revision: 'b' });
const outcome = {
  kind: 'forward',
  status: 0,
  route: 'a',
  by: undefined,
  policy: undefined,
  code: undefined,
  rule: undefined,
} as const;
const flip = (count: number): FlipCount => ({
  flip: 'moved',
  before: outcome,
  after: outcome,
  consumer: `c${count}`,
  count,
  examples: [],
});

/** With `counts` requests by bucket of latency. */
const withLatency = (counts: Readonly<Record<number, number>>): TrialFigures => ({
  ...NONE,
  canary: { ...NONE.canary, latency: NONE.canary.latency.map((_, bucket) => counts[bucket] ?? 0) },
});

describe('what a trial has shown', () => {
  it('is nothing at first', () => {
    const { canary, judged, flips } = evidenceOf(NONE, []);
    assert.deepEqual(canary, {
      requests: 0,
      denied: 0,
      gatewayErrors: 0,
      upstreamErrors: 0,
      p99Ms: undefined,
    });
    assert.deepEqual([judged, flips], [0, []]);
  });

  it('sums all groups of callers', () => {
    const requests = NONE.baseline.requests.map((_, group) => group);
    const figures = { ...NONE, baseline: { ...NONE.baseline, requests, denied: requests } };
    const { baseline } = evidenceOf(figures, []);
    assert.deepEqual([baseline.requests, baseline.denied], [496, 496]);
  });

  const percentiles: readonly [name: string, counts: Record<number, number>, bucket: number][] = [
    ['of one', { 10: 1 }, 10],
    ['of a hundred alike', { 10: 100 }, 10],
    ['with one in a hundred slow', { 10: 99, 50: 1 }, 10],
    ['with two in a hundred slow', { 10: 98, 50: 2 }, 50],
    ['with the slowest beyond all bounds', { 10: 50, 189: 50 }, 189],
  ];
  for (const [name, counts, bucket] of percentiles) {
    it(`has a 99th percentile ${name}`, () => {
      const { p99Ms = 0 } = evidenceOf(withLatency(counts), []).canary;
      assert.ok(Math.abs(p99Ms - 0.05 * 1.08 ** bucket) < 1e-9);
    });
  }

  it('keeps the most frequent kinds of flips, and counts the others', () => {
    const flips = Array.from({ length: 60 }, (_, n) => flip(n + 1));
    const shown = evidenceOf({ ...NONE, shadow: { ...NONE.shadow, flips, otherFlips: 5 } }, []);
    assert.deepEqual([shown.flips.length, shown.flips[0].count, shown.flips.at(-1)?.count], [50, 60, 11]);
    assert.equal(shown.otherFlips, 5 + 55);
  });
});

it('what the lint has said stays with a rollout from its check on', async () => {
  const finding = { rule: 'r', severity: 'warning', path: '', message: 'm', fix: 'f', docs: 'd' } as const;
  const order = { origin: 'api', actor: 'ann', reason: '', plan: EMPTY_PLAN, base: BASE } as const;
  const bundle = bundleOf(REVISION, { findings: [finding] });
  const { history } = await new RunnerWorld().runner.begin(bundle, order);
  assert.deepEqual(history.find(({ act }) => act === 'checked')?.evidence, lintEvidence([finding]));
  assert.equal(lintEvidence([]), undefined);
});
