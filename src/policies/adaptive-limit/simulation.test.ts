/** What `npm run bench -- adaptive` measures, with smaller numbers: the same in each run. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ATTACKS,
  type AttackResult,
  lossOf,
  simulateAttack,
} from '../../../test/fixtures/adaptive/attack.ts';
import { type Halving, simulateUpstream } from '../../../test/fixtures/adaptive/upstream.ts';

const CROWD = { normalCallers: 60, attackers: 1, seed: 7, learnMs: 900_000, attackMs: 60_000 };
const UPSTREAM = {
  workers: 20,
  serviceMs: 50,
  requestsPerSecond: 320,
  healthyMs: 10_000,
  halvedMs: 30_000,
  seed: 7,
};

const passed = (result: AttackResult): readonly number[] =>
  ATTACKS.map((kind) => {
    const losses = result.late.get(kind);
    assert.ok(losses !== undefined && losses.sent > 100);
    return 1 - lossOf(losses);
  });

describe('attackers among callers as they are', () => {
  it('lose 95 % from ten seconds on, and the others lose nothing to speak of', async () => {
    const result = await simulateAttack({ ...CROWD, adapts: true });
    for (const [i, part] of passed(result).entries()) assert.ok(part <= 0.05, `${ATTACKS[i]}: ${part}`);
    assert.ok(result.normal.sent > 10_000);
    assert.ok(lossOf(result.normal) < 0.005 && lossOf(result.normalMeanwhile) < 0.005);
  });

  it('with a limit that does not move they get much more', async () => {
    const result = await simulateAttack({ ...CROWD, learnMs: 60_000, adapts: false });
    assert.ok(Math.min(...passed(result)) > 0.05);
  });
});

describe('an upstream whose capacity halves', () => {
  for (const halving of ['half the workers', 'twice as slow'] satisfies readonly Halving[]) {
    it(`is kept within 10 % of its best: ${halving}`, async () => {
      const { healthy, halved } = await simulateUpstream({ ...UPSTREAM, halving, limited: true });
      assert.ok(healthy.perSecond >= 0.95 * healthy.best);
      assert.ok(halved.perSecond >= 0.9 * halved.best, `${halved.perSecond} of ${halved.best}`);
      assert.ok(halved.worst >= 0.75 * halved.best, `${halved.worst} of ${halved.best}`);
    });

    it(`collapses without: ${halving}`, async () => {
      const { halved } = await simulateUpstream({ ...UPSTREAM, halving, limited: false });
      assert.ok(halved.perSecond < 0.3 * halved.best, `${halved.perSecond} of ${halved.best}`);
    });
  }

  it('refuses the least important first', async () => {
    const { refused } = await simulateUpstream({ ...UPSTREAM, halving: 'half the workers', limited: true });
    assert.ok(refused.critical < 0.05 && refused.low > refused.normal && refused.normal > refused.high);
  });
});
