import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BASE, cohort, EMPTY_PLAN, REVISION } from '../../../test/fixtures/rollouts/rollout-parts.ts';
import { bundleOf, RunnerWorld } from '../../../test/fixtures/rollouts/runner-world.ts';
import type { RolloutPlan } from '../../contract/index.ts';
import type { PublishRequest } from '../publisher.ts';
import { governingPlan } from './governing-plan.ts';
import type { RolloutBundle } from './ports.ts';

const CANARY: RolloutPlan = { ...EMPTY_PLAN, steps: [{ cohort: cohort(0.1), forMs: 1000 }] };
const OTHER = 'd'.repeat(64);

type Request = Omit<PublishRequest<RolloutBundle>, 'load'>;
const ask = (request: Partial<Request>, bundle: RolloutBundle): PublishRequest<RolloutBundle> => ({
  origin: 'api',
  actor: 'ann',
  load: async () => bundle,
  ...request,
});

/** What becomes of an offer: what the publisher is told, or `live` where it is left to it. */
async function offered(
  world: RunnerWorld,
  bundle: RolloutBundle,
  request: Partial<Request> = {},
): Promise<string> {
  const asked = ask(request, bundle);
  const result = world.diversion.refuses(asked) ?? (await world.diversion.take(asked, bundle));
  if (result === undefined) return 'live';
  return 'rollout' in result ? `${result.outcome} ${result.rollout}` : result.outcome;
}

const planned = (revision: string, more: Partial<RolloutBundle> = {}) =>
  bundleOf(revision, { rollout: CANARY, ...more });

describe('an offer', () => {
  it('whose document says nothing of a rollout is live at once', async () => {
    const world = new RunnerWorld();
    assert.equal(await offered(world, bundleOf(REVISION)), 'live');
    assert.equal(world.runner.open, undefined);
  });

  it('goes its way where its document says so', async () => {
    const world = new RunnerWorld();
    assert.equal(await offered(world, planned(REVISION), { origin: 'file', reason: 'so' }), 'rollout r1');
    const open = world.runner.open;
    assert.deepEqual([open?.base, open?.origin, open?.actor, open?.reason], [BASE, 'file', 'ann', 'so']);
  });

  it('is live at once where nothing is yet', async () => {
    const world = new RunnerWorld();
    world.workers.active = undefined;
    assert.equal(await offered(world, planned(REVISION), { origin: 'start' }), 'live');
  });

  it('is told that another is on its way, and ends nothing', async () => {
    const world = new RunnerWorld();
    await offered(world, planned(REVISION));
    for (const bundle of [planned(OTHER), bundleOf(OTHER), planned(REVISION), bundleOf(BASE)])
      assert.equal(await offered(world, bundle), 'busy r1');
    assert.equal(world.runner.open?.revision, REVISION);
  });

  it('is refused where the store cannot keep where it is', async () => {
    const world = new RunnerWorld();
    world.isStoreThere = false;
    await assert.rejects(offered(world, planned(REVISION)), { name: 'ConfigError' });
    assert.equal(world.runner.open, undefined);
  });

  it('is told where another node was quicker', async () => {
    const world = new RunnerWorld();
    const state = { phase: 'canary' };
    await world.store.rollouts.begin({
      id: 'elsewhere',
      revision: OTHER,
      base: BASE,
      isOpen: true,
      startedAt: 1,
      state,
    });
    assert.equal(await offered(world, planned(REVISION)), 'busy elsewhere');
    assert.equal(world.runner.open, undefined);
  });
});

describe('the document on disk', () => {
  it('takes the place of the one before on its way', async () => {
    const world = new RunnerWorld();
    await offered(world, planned(REVISION), { origin: 'file' });
    assert.equal(await offered(world, planned(REVISION), { origin: 'file' }), 'rollout r1');
    assert.equal(await offered(world, planned(OTHER), { origin: 'file' }), 'rollout r2');
    assert.equal((await world.store.rollouts.get('r1'))?.isOpen, false);
    assert.equal(world.runner.open?.revision, OTHER);
  });

  it('ends its own rollout where it is again what is live', async () => {
    const world = new RunnerWorld();
    await offered(world, planned(REVISION), { origin: 'file' });
    assert.equal(await offered(world, bundleOf(BASE), { origin: 'file' }), 'live');
    assert.equal(await world.settled(), 'superseded');
  });

  it('waits for one of the API', async () => {
    const world = new RunnerWorld();
    await offered(world, planned(REVISION));
    for (const bundle of [planned(OTHER), bundleOf(OTHER)])
      assert.equal(await offered(world, bundle, { origin: 'file' }), 'busy r1');
    assert.equal(await offered(world, planned(REVISION), { origin: 'file' }), 'rollout r1');
    assert.equal(await offered(world, bundleOf(BASE), { origin: 'signal' }), 'live');
    assert.equal(world.runner.open?.id, 'r1');
  });

  it('waits where it is decided that the one before goes live', async () => {
    const world = new RunnerWorld();
    world.workers.publish = () => new Promise(() => {});
    const instant = bundleOf(REVISION, { rollout: EMPTY_PLAN });
    await offered(world, instant, { origin: 'file' });
    assert.equal(await world.settled(), 'activating');
    assert.equal(await offered(world, planned(OTHER), { origin: 'file' }), 'busy r1');
  });
});

describe('what is live, with a file as it is now', () => {
  const renewal = { origin: 'file', isRenewal: true } as const;
  const live = (more: Partial<RolloutBundle>) => bundleOf(BASE, { rollout: CANARY, ...more });
  const files = { 'cert.pem': 'old', 'list.txt': 'old' };

  const world = (): RunnerWorld => {
    const made = new RunnerWorld();
    made.workers.active = live({ documentHash: 'doc', files });
    return made;
  };
  const renewed = (changed: Record<string, string>) =>
    planned(OTHER, { documentHash: 'doc', files: { ...files, ...changed } });

  it('goes its way like any other', async () => {
    assert.equal(await offered(world(), renewed({ 'list.txt': 'new' }), renewal), 'rollout r1');
    assert.equal(
      await offered(world(), renewed({ 'list.txt': 'new', 'cert.pem': 'new' }), renewal),
      'rollout r1',
    );
  });

  it('is live at once where it is a secret or a certificate', async () => {
    assert.equal(await offered(world(), live({ documentHash: 'doc', files }), renewal), 'live');
    assert.equal(await offered(world(), renewed({ 'cert.pem': 'new' }), renewal), 'live');
  });

  it('waits for the rollout under way, unless it is a secret or a certificate', async () => {
    const busy = world();
    await offered(busy, planned(REVISION), { origin: 'file' });
    assert.equal(await offered(busy, renewed({ 'list.txt': 'new' }), renewal), 'busy r1');
    assert.equal(await offered(busy, renewed({ 'cert.pem': 'new' }), renewal), 'live');
    assert.equal(busy.runner.open?.revision, REVISION);
  });
});

describe('the way that governs', () => {
  const stricter = { ...EMPTY_PLAN, approvals: 2 };
  const gates = (denyRate?: number, flips?: number): RolloutPlan => ({
    ...CANARY,
    gates: { ...EMPTY_PLAN.gates, denyRate, flips },
  });
  const replay = (recordsMs: number, maxFlips: number): RolloutPlan => ({
    ...EMPTY_PLAN,
    replay: { recordsMs, maxFlips },
  });
  const shadow = (forMs: number, share: number): RolloutPlan => ({
    ...EMPTY_PLAN,
    shadow: { forMs, share, budget: 0.1 },
  });
  const steps = (...lengths: readonly number[]): RolloutPlan => ({
    ...EMPTY_PLAN,
    steps: lengths.map((forMs) => ({ cohort: cohort(1), forMs })),
  });
  const cases: readonly [
    name: string,
    own: RolloutPlan | undefined,
    live: RolloutPlan | undefined,
    way: unknown,
  ][] = [
    ['is none where neither has one', undefined, undefined, undefined],
    ['is the document’s own', CANARY, EMPTY_PLAN, CANARY],
    ['is the document’s own where there is no other', CANARY, undefined, CANARY],
    ['is that in force where the document takes it away', undefined, CANARY, CANARY],
    ['is that in force where the document has an empty one', EMPTY_PLAN, CANARY, CANARY],
    ['never asks for fewer approvals than that in force', CANARY, stricter, { ...CANARY, approvals: 2 }],
    ['may ask for more', { ...CANARY, approvals: 2 }, CANARY, { ...CANARY, approvals: 2 }],
    ['has gates that the document leaves out', gates(), gates(0.2, 0.1), gates(0.2, 0.1)],
    ['has of each gate the stricter one', gates(9, 0.01), gates(0.2, 0.1), gates(0.2, 0.01)],
    ['may have gates that are not in force', gates(0.2), gates(), gates(0.2)],
    ['has the replay in force', EMPTY_PLAN, replay(1000, 0), replay(1000, 0)],
    ['asks replay for no less', replay(10, 1), replay(1000, 0), replay(1000, 0)],
    ['may ask replay for more', replay(2000, 0), replay(1000, 0.5), replay(2000, 0)],
    ['has the shadow in force', EMPTY_PLAN, shadow(1000, 0.1), shadow(1000, 0.1)],
    ['has no less of shadow', shadow(1, 0.01), shadow(1000, 0.1), shadow(1000, 0.1)],
    ['has the steps in force where its own take less time', steps(1, 1), steps(5, 5), steps(5, 5)],
    [
      'has the steps in force where its own begin with more callers',
      { ...EMPTY_PLAN, steps: [{ cohort: cohort(0.5), forMs: 9000 }] },
      CANARY,
      CANARY,
    ],
    ['has its own steps where they take as long', steps(10), steps(5, 5), steps(10)],
  ];
  for (const [name, own, live, way] of cases)
    it(name, () => assert.deepEqual(governingPlan({ rollout: own }, { rollout: live }), way));
});
