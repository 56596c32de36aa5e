import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FlipCount, Gates } from '../../src/contract/index.ts';
import { GateWatch, noFigures, sumFigures } from '../../src/lifecycle/index.ts';
import { type Attacker, DENIED, type Harm, simulateRollout } from '../fixtures/rollouts/simulated-rollout.ts';

/**
 * What somebody without a credential can do to the gates of a canary: from one network he is one group of callers, of the
 * arm that he chooses. Before, one client that sent as much as the canary had a sound rollout go back within seconds, and one
 * that sent twenty times as much hid a broken one.
 */

const GATES: Gates = { denyRate: 0.2, errorRate: 0.01, p99: 0.25, flips: undefined };
const CROWD = {
  callers: 500,
  requestsPerSecond: 1000,
  steps: [0.05],
  seconds: 120,
  gates: GATES,
  judgedTwice: 0,
};
const ROLLOUTS = 10;

const attacker = (more: Partial<Attacker>): Attacker => ({
  arm: 'canary',
  groups: 1,
  requestsPerSecond: 100,
  denied: 0,
  upstreamErrors: 0,
  ...more,
});

/** How many of ten rollouts are ended. */
function ended(harm: Harm, who: Attacker | undefined, crowd = CROWD): number {
  let count = 0;
  for (let seed = 1; seed <= ROLLOUTS; seed++) {
    const { broken } = simulateRollout({ ...crowd, seed, harm, ...(who && { attacker: who }) });
    if (broken !== undefined) count++;
  }
  return count;
}

describe('from one network nobody has a sound rollout go back', () => {
  for (const requestsPerSecond of [45, 1000]) {
    it(`by ${requestsPerSecond} refused requests per second`, () =>
      assert.equal(ended({}, attacker({ requestsPerSecond, denied: 1 })), 0));
    it(`by ${requestsPerSecond} per second that its upstream fails at`, () =>
      assert.equal(ended({}, attacker({ requestsPerSecond, upstreamErrors: 1 })), 0));
  }
});

describe('from one network nobody hides a broken one', () => {
  const cases: readonly (readonly [string, Partial<Attacker>])[] = [
    ['by requests that succeed', {}],
    ['by very many of them', { requestsPerSecond: 10_000 }],
    ['by having the revision in service refuse', { arm: 'baseline', requestsPerSecond: 1000, denied: 1 }],
  ];
  for (const [name, more] of cases) {
    it(name, () => {
      const alone = ended({ breaks: 0.1 }, undefined);
      assert.ok(alone >= 9, `${alone} without an attacker`);
      const hidden = ended({ breaks: 0.1 }, attacker(more));
      assert.ok(hidden >= alone - 2, `${hidden} of ${alone}`);
    });
  }
});

describe('who is judged otherwise in many ways', () => {
  it('does not hide that others are denied', () => {
    const name = { rollout: 'r', revision: 'c' };
    const nothing = noFigures(name);
    const many = Array.from({ length: 400 }, (_, i): FlipCount => {
      const at = { ...DENIED.after, rule: `body/items/${i}: type` };
      return { ...DENIED, flip: 'other-reason', before: at, consumer: `eve-${i}`, count: 1, examples: [] };
    });
    const harm = { ...DENIED, count: 100, examples: [] };
    const shadow = { ...nothing.shadow, judged: 2000, same: 1500, flips: [...many, harm] };
    const arm = { ...nothing.baseline, requests: nothing.baseline.requests.map(() => 100) };
    const watch = new GateWatch(GATES);
    watch.observe(sumFigures(name, [{ ...nothing, baseline: arm, canary: arm, shadow }]));
    const broken = watch.judge(true).findings.filter(({ state }) => state === 'broken');
    assert.deepEqual(
      broken.map(({ gate }) => gate),
      ['denyRate'],
    );
  });
});

describe('what can be done all the same, as docs/trials.md says', () => {
  it('from many networks, or with credentials of as many, a sound rollout goes back', () => {
    assert.ok(ended({}, attacker({ groups: 32, denied: 1 })) >= 8);
  });
  it('where the canary has two callers, one more is as good as they', () => {
    const few = { ...CROWD, callers: 20, steps: [0.1], requestsPerSecond: 100 };
    assert.ok(ended({}, attacker({ requestsPerSecond: 1000, upstreamErrors: 1 }), few) > 0);
  });
});
