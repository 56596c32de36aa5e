import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  after,
  begin,
  CHECKED,
  cohort,
  EMPTY_PLAN,
  TRIAL,
} from '../../../test/fixtures/rollouts/rollout-parts.ts';
import type { GateFinding } from '../../lifecycle/index.ts';
import { waitsFor } from './waits-for.ts';

const PLAN = { ...EMPTY_PLAN, steps: [{ cohort: cohort(0.05), forMs: 1000 }] };
const found = (state: GateFinding['state'], sureness: number): GateFinding => ({
  gate: 'denyRate',
  state,
  baseline: 0.1,
  canary: 0.2,
  allowed: 0.12,
  sureness,
});

describe('what a canary step waits for once its time is over', () => {
  const steps: readonly [name: string, findings: readonly GateFinding[], says: RegExp][] = [
    ['looks bad without being sure', [found('unseen', 0), found('held', 0.9)], /looks broken.+not sure yet/],
    ['is not suspected yet', [found('held', 0.89)], /^more requests to judge by$/],
    ['has too few to compare', [found('held', 0), found('unseen', 0)], /too few to compare/],
    ['has no gates', [], /^more requests to judge by$/],
  ];
  for (const [name, findings, says] of steps) {
    it(name, () => {
      const rollout = after(begin(PLAN), ...CHECKED, { kind: 'in-force', at: 3 });
      const view = { rollout, live: { ...TRIAL, findings }, replay: undefined, waitsForStore: false };
      const { deadline } = rollout;
      assert.ok(deadline !== undefined);
      assert.match(waitsFor(view, deadline) ?? '', says);
      assert.equal(waitsFor(view, deadline - 1), 'the time of this step to pass');
    });
  }
});
