import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cohort, EMPTY_PLAN, REVISION } from '../../../test/fixtures/rollouts/rollout-parts.ts';
import { bundleOf, settle } from '../../../test/fixtures/rollouts/runner-world.ts';
import { type SharedNode, SharedWorld } from '../../../test/fixtures/rollouts/shared-world.ts';
import type { RolloutPlan, TrialFigures } from '../../contract/index.ts';
import { noFigures } from '../../lifecycle/index.ts';
import { trialKey } from '../nodes/index.ts';
import { figuresIn, keptFigures } from './stored-figures.ts';

type Three = [SharedNode, SharedNode, SharedNode];

const CANARY: RolloutPlan = {
  ...EMPTY_PLAN,
  steps: [{ cohort: cohort(0.1), forMs: 3_600_000 }],
  gates: { ...EMPTY_PLAN.gates, denyRate: 0.2 },
};

async function three(): Promise<[SharedWorld, Three]> {
  const world = new SharedWorld();
  return [world, (await world.start('a', 'b', 'c')) as Three];
}

const begin = (node: SharedNode, plan = CANARY) =>
  node.shared.seat.begin(bundleOf(REVISION), {
    origin: 'api',
    actor: 'ann',
    reason: '',
    plan,
    base: node.workers.active?.revision ?? '',
  });

const decide = (nodes: readonly SharedNode[]) => nodes.map((node) => node.decides);
const phase = async ({ store }: SharedWorld) => (await store.rollouts.list({ limit: 1 }))[0]?.state;
const ask = { actor: 'ben', reason: '', at: 1 } as const;

describe('a rollout of several nodes', () => {
  test('is begun by one, and tried by all before its time counts', async () => {
    const [world, nodes] = await three();
    const [a, b, c] = nodes;
    let goOn = () => {};
    c.workers.beforeTry = () => new Promise((resolve) => (goOn = resolve));
    await begin(a);
    await world.pass(5000);
    assert.deepEqual(decide(nodes), ['base and candidate', 'base and candidate', 'base']);
    assert.equal(a.shared.seat.open?.deadline, undefined);
    await assert.rejects(begin(b), { code: 'conflict' });
    goOn();
    await world.pass(3000);
    assert.deepEqual(decide(nodes), ['base and candidate', 'base and candidate', 'base and candidate']);
    assert.notEqual(b.shared.seat.open?.deadline, undefined);
  });

  test('ends where a node cannot prepare it, and names that one', async () => {
    const [world, nodes] = await three();
    const [a, b] = nodes;
    b.recompiled = new Error('env:SECRET is not set');
    await begin(a);
    await world.pass(6000);
    assert.deepEqual(decide(nodes), ['base', 'base', 'base']);
    assert.match(JSON.stringify(await phase(world)), /"rolled-back".*node b: env:SECRET is not set/);
  });

  test('goes on without one that is lost, which comes up to date when it is back', async () => {
    const [world, nodes] = await three();
    const [a, , c] = nodes;
    c.isCutOff = true;
    await world.pass(11_000);
    await begin(a);
    await world.pass(3000);
    assert.deepEqual(decide(nodes), ['base and candidate', 'base and candidate', 'base']);
    assert.notEqual(a.shared.seat.open?.deadline, undefined);
    assert.ok(a.logged.includes('rollout-goes-on-without'));
    c.isCutOff = false;
    await world.pass(3000);
    assert.equal(c.decides, 'base and candidate');
  });

  test('is ended by a node that hears nothing from the store for ten seconds, there alone', async () => {
    const [world, nodes] = await three();
    const [a, , c] = nodes;
    await begin(a);
    await world.pass(3000);
    c.isCutOff = true;
    // Heard of two seconds before at most.
    await world.pass(7000);
    assert.equal(c.decides, 'base and candidate');
    await world.pass(6000);
    assert.deepEqual(decide(nodes), ['base and candidate', 'base and candidate', 'base']);
  });

  test('is driven by another when its driver stands still, whose word then counts no more', async () => {
    const [world, nodes] = await three();
    const [a, b, c] = nodes;
    await begin(a);
    await world.pass(3000);
    a.standsStill = true;
    await world.pass(14_000);
    assert.equal([b, c].filter(({ shared }) => shared.seat.drives).length, 1);
    const other = b.shared.seat.drives ? c : b;
    // Asked of one that does not drive it.
    assert.equal(typeof (await other.shared.seat.dispatch({ ...ask, kind: 'abort' })), 'object');
    await world.pass(3000);
    assert.deepEqual(decide([b, c]), ['base', 'base']);
    // What was under way when it fell asleep.
    assert.equal(await a.shared.runner.dispatch({ ...ask, kind: 'promote', to: 'active' }), 'changed');
    assert.equal(a.workers.active?.revision, b.workers.active?.revision);
    a.standsStill = false;
    await world.pass(3000);
    assert.deepEqual(decide(nodes), ['base', 'base', 'base']);
    assert.equal(a.shared.seat.drives, false);
    assert.match(JSON.stringify(await phase(world)), /"phase":"aborted"/);
  });

  test('is live on all, and prepared by all before that on any', async () => {
    const [world, nodes] = await three();
    const [a, , c] = nodes;
    let goOn = () => {};
    c.workers.beforeTry = () => new Promise((resolve) => (goOn = resolve));
    await begin(a, EMPTY_PLAN);
    await world.pass(5000);
    assert.deepEqual(decide(nodes), ['base', 'base and candidate', 'base']);
    goOn();
    await world.pass(5000);
    assert.deepEqual(decide(nodes), ['other', 'other', 'other']);
    assert.match(JSON.stringify(await phase(world)), /"phase":"active"/);
    await world.pass(3000);
    assert.equal(nodes.filter(({ shared }) => shared.seat.drives).length, 0);
  });

  test('is live on none where one cannot prepare it', async () => {
    const [world, nodes] = await three();
    nodes[2].recompiled = new Error('no');
    await begin(nodes[0], EMPTY_PLAN);
    await world.pass(6000);
    assert.deepEqual(decide(nodes), ['base', 'base', 'base']);
    assert.deepEqual((await world.store.listActivations({ limit: 10 })).length, 1);
    assert.match(JSON.stringify(await phase(world)), /node c: no/);
  });

  test('is judged by what all nodes have seen, those that are gone too', async () => {
    const [world, nodes] = await three();
    const [a, b, c] = nodes;
    await begin(a);
    await world.pass(3000);
    const { rollout, revision } = a.workers.candidate?.trial ?? { rollout: '', revision: '' };
    for (const node of nodes) node.figures = seen({ rollout, revision }, 5);
    await world.pass(3000);
    assert.equal(a.observed?.canary.requests[0], 15);
    c.standsStill = true;
    b.figures = seen({ rollout, revision }, 7);
    await world.pass(13_000);
    assert.equal(a.observed?.canary.requests[0], 17);
    a.verdict = 'broken';
    await world.pass(3000);
    assert.deepEqual(decide([a, b]), ['base', 'base']);
  });

  test('what is activated on one without a rollout is followed by all, and written by that one alone', async () => {
    const [world, nodes] = await three();
    await nodes[1].publish({ origin: 'api', actor: 'ann', load: async () => bundleOf('2'.repeat(64)) });
    await world.pass(3000);
    assert.deepEqual(decide(nodes), ['other', 'other', 'other']);
    assert.equal((await world.store.listActivations({ limit: 10 })).length, 2);
    await settle();
  });
});

const seen = (name: { rollout: string; revision: string }, count: number): TrialFigures => {
  const none = noFigures(name);
  return { ...none, canary: { ...none.canary, requests: none.canary.requests.map(() => count) } };
};

describe('figures of another node', () => {
  const trial = { rollout: 'r', revision: REVISION, shadow: undefined, canary: undefined };
  const figures = seen(trial, 3);
  const kept = () => JSON.parse(JSON.stringify(keptFigures(trial, figures)));

  test('are taken as they were told', () => {
    assert.deepEqual(figuresIn(kept(), trialKey(trial)), figures);
  });

  for (const [what, key, change] of [
    ['of another trial', 'other', {}],
    ['without a trial', trialKey(trial), { key: undefined }],
    ['of another form', trialKey(trial), { figures: { canary: 1 } }],
    [
      'with a group too few',
      trialKey(trial),
      { figures: { ...figures, canary: { ...figures.canary, denied: [1] } } },
    ],
    ['below zero', trialKey(trial), { figures: { ...figures, shadow: { ...figures.shadow, judged: -1 } } }],
  ] as const) {
    test(`are left out ${what}`, () => {
      assert.equal(figuresIn({ ...kept(), ...change }, key), undefined);
    });
  }
});
