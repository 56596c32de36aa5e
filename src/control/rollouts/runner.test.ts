import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  BASE,
  cohort,
  EMPTY_PLAN,
  FULL_PLAN,
  REVISION,
  replayOf,
} from '../../../test/fixtures/rollouts/rollout-parts.ts';
import { bundleOf, RunnerWorld, settle } from '../../../test/fixtures/rollouts/runner-world.ts';
import type { RolloutPlan } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { evidenceHash, type RolloutEvent } from '../../lifecycle/index.ts';

const GATED = { denyRate: 0.2, errorRate: undefined, p99: undefined, flips: undefined };
const CANARY: RolloutPlan = {
  ...EMPTY_PLAN,
  gates: GATED,
  steps: [
    { cohort: cohort(0.1), forMs: 1000 },
    { cohort: cohort(0.5), forMs: 1000 },
  ],
};
const hand = (kind: 'abort' | 'pause' | 'resume', world: RunnerWorld): RolloutEvent => ({
  kind,
  at: world.now,
  actor: 'ann',
  reason: 'so',
});

async function actions(world: RunnerWorld): Promise<string[]> {
  const entries = await world.store.listAudit({ limit: 100 });
  return entries.map(({ action }) => action).reverse();
}

/** In the canary's first step, in force. */
async function inCanary(plan = CANARY): Promise<RunnerWorld> {
  const world = new RunnerWorld();
  await world.begin(plan);
  assert.equal(await world.settled(), 'canary 0');
  assert.deepEqual(world.workers.log, ['try 0.1']);
  return world;
}

describe('a rollout that is run', () => {
  it('goes its whole way', async () => {
    const world = new RunnerWorld();
    await world.begin(FULL_PLAN);
    assert.equal(await world.settled(), 'replay');
    assert.deepEqual(
      world.replays.map(({ candidate, active, sinceMs }) => [candidate.revision, active.revision, sinceMs]),
      [[REVISION, BASE, 999_000]],
    );
    world.endReplay.resolve(replayOf(100, 0));
    assert.equal(await world.settled(), 'approval');
    const rollout = world.runner.open;
    assert.ok(rollout !== undefined);
    assert.equal(await world.pass(60_000), 'approval');
    const evidence = evidenceHash(rollout);
    await world.runner.dispatch({ kind: 'approve', at: world.now, actor: 'ben', reason: '', evidence });
    assert.equal(await world.settled(), 'shadow');
    assert.equal(await world.pass(9000), 'shadow');
    assert.equal(await world.pass(2000), 'canary 0');
    assert.equal(await world.pass(20_250), 'canary 1');
    assert.equal(await world.pass(20_250), 'active');
    assert.deepEqual(world.workers.log, ['try in shadow', 'try 0.05', 'try 0.5', 'live']);
    assert.deepEqual(await actions(world), [
      'rollout.started',
      'rollout.checked',
      'rollout.tested',
      'rollout.replayed',
      'rollout.approved',
      'rollout.passed',
      'rollout.passed',
      'rollout.passed',
      'rollout.activated',
    ]);
    assert.equal(await world.store.rollouts.open(), undefined);
    assert.equal((await world.store.getRevision(REVISION))?.author, 'ann');
    assert.equal(world.isTicking, false);
  });

  it('is kept before it is done', async () => {
    const world = await inCanary();
    const { promise, resolve } = Promise.withResolvers<void>();
    let kept: unknown;
    world.workers.beforeTry = async () => {
      kept = (await world.store.rollouts.open())?.state;
      resolve();
    };
    await world.pass(1250);
    await promise;
    assert.ok(kept !== null && typeof kept === 'object' && 'step' in kept);
    assert.equal(kept.step, 1);
  });

  it('goes back at once on a broken gate, with what broke it', async () => {
    const world = await inCanary();
    world.verdict = 'broken';
    assert.equal(await world.pass(250), 'rolled-back');
    assert.deepEqual(world.workers.log, ['try 0.1', 'end']);
    assert.equal(world.workers.active?.revision, BASE);
    const [last] = world.runner.view?.rollout.history.slice(-1) ?? [];
    assert.deepEqual([last.act, last.evidence?.kind], ['broken', 'trial']);
    assert.deepEqual((await actions(world)).at(-1), 'rollout.broken');
  });

  it('is ended in the workers before the store has heard of it', async () => {
    const world = await inCanary();
    const { update } = world.store.rollouts;
    let logAtUpdate: string[] = [];
    world.store.rollouts.update = (row, version) => {
      logAtUpdate = [...world.workers.log];
      return update.call(world.store.rollouts, row, version);
    };
    await world.runner.dispatch(hand('abort', world));
    assert.deepEqual(logAtUpdate, ['try 0.1', 'end']);
  });

  it('stays where too little was seen', async () => {
    const world = await inCanary();
    world.verdict = 'hold';
    assert.equal(await world.pass(60_000), 'canary 0');
    world.verdict = 'passed';
    assert.equal(await world.pass(250), 'canary 1');
  });

  it('looks at no gates where its plan has none', async () => {
    const world = await inCanary({ ...CANARY, gates: EMPTY_PLAN.gates });
    world.verdict = 'broken';
    assert.equal(await world.pass(1250), 'canary 1');
  });

  it('waits for figures', async () => {
    const world = await inCanary({ ...CANARY, gates: EMPTY_PLAN.gates });
    world.figures = undefined;
    assert.equal(await world.pass(5000), 'canary 0');
  });

  it('rolls back where a worker cannot try it', async () => {
    const world = new RunnerWorld();
    const refused = ConfigError.at('routes[0]', 'is wrong');
    world.workers.beforeTry = () => Promise.reject(refused);
    await world.begin(CANARY);
    assert.equal(await world.settled(), 'rolled-back');
    const [last] = world.runner.view?.rollout.history.slice(-1) ?? [];
    assert.deepEqual(last.evidence, { kind: 'issues', issues: refused.issues });
  });

  it('rolls back where its trial was lost', async () => {
    const world = await inCanary();
    world.workers.lose(new Error('worker 3 could not prepare it'));
    assert.equal(await world.pass(250), 'rolled-back');
    const [last] = world.runner.view?.rollout.history.slice(-1) ?? [];
    assert.deepEqual(last.evidence, { kind: 'failure', message: 'worker 3 could not prepare it' });
  });

  it('rolls back where no worker can serve it', async () => {
    const world = await inCanary();
    const issues = [{ path: 'listeners', message: 'taken' }];
    world.workers.publishResult = { outcome: 'refused', revision: REVISION, issues };
    assert.equal(await world.pass(3000), 'rolled-back');
    assert.equal(world.workers.candidate, undefined);
  });

  it('is refused where replay fails, and stops replay when it is aborted', async () => {
    const failing = new RunnerWorld();
    await failing.begin(FULL_PLAN);
    await settle();
    failing.endReplay.reject(new Error('no recording'));
    assert.equal(await failing.settled(), 'refused');
    const aborted = new RunnerWorld();
    await aborted.begin(FULL_PLAN);
    await settle();
    await aborted.runner.dispatch(hand('abort', aborted));
    assert.equal(aborted.replays[0].signal.aborted, true);
    aborted.endReplay.resolve(replayOf(1, 0));
    assert.equal(await aborted.settled(), 'aborted');
  });

  it('tries nothing that was aborted while it was prepared', async () => {
    const world = new RunnerWorld();
    const { promise, resolve } = Promise.withResolvers<void>();
    world.workers.beforeTry = () => promise;
    await world.begin(CANARY);
    await settle();
    await world.runner.dispatch(hand('abort', world));
    resolve();
    assert.equal(await world.settled(), 'aborted');
    assert.equal(world.workers.candidate, undefined);
    assert.deepEqual(world.workers.log, []);
  });

  it('goes on with the step it was promoted to, once the one before is prepared', async () => {
    const world = new RunnerWorld();
    const { promise, resolve } = Promise.withResolvers<void>();
    world.workers.beforeTry = () => promise;
    await world.begin(CANARY);
    await settle();
    const promote = { kind: 'promote', at: world.now, actor: 'ann', reason: '', to: 'next' } as const;
    await world.runner.dispatch(promote);
    resolve();
    assert.equal(await world.settled(), 'canary 1');
    assert.equal(world.workers.candidate?.trial.canary?.share, 0.5);
  });

  it('stands still while it is paused, but for what goes back', async () => {
    const world = await inCanary();
    await world.runner.dispatch(hand('pause', world));
    assert.equal(await world.pass(10_000), 'canary 0');
    await world.runner.dispatch(hand('resume', world));
    assert.equal(await world.pass(500), 'canary 0');
    assert.equal(await world.pass(750), 'canary 1');
    await world.runner.dispatch(hand('pause', world));
    world.verdict = 'broken';
    assert.equal(await world.pass(250), 'rolled-back');
  });

  it('is one of a kind', async () => {
    const world = await inCanary();
    await assert.rejects(world.begin(CANARY, 'd'.repeat(64)), { code: 'conflict' });
    assert.equal(world.runner.open?.revision, REVISION);
  });
});

describe('a store that is lost meanwhile', () => {
  it('keeps it from going on, until it is back', async () => {
    const world = await inCanary();
    world.isStoreThere = false;
    assert.equal(await world.pass(20_000), 'canary 0');
    assert.equal(world.runner.view?.waitsForStore, true);
    assert.deepEqual(world.logged.filter((event) => event === 'rollout-waits-for-store').length, 1);
    assert.deepEqual(world.workers.log, ['try 0.1']);
    world.isStoreThere = true;
    for (let ms = 0; ms < 6000 && (await world.settled()) === 'canary 0'; ms += 250) await world.pass(250);
    assert.equal(await world.settled(), 'canary 1');
    assert.equal(world.runner.view?.waitsForStore, false);
  });

  it('keeps nothing from going back, and hears of it later', async () => {
    const world = await inCanary();
    world.isStoreThere = false;
    world.verdict = 'broken';
    assert.equal(await world.pass(250), 'rolled-back');
    assert.equal(world.workers.candidate, undefined);
    assert.equal(world.runner.view?.waitsForStore, true);
    assert.notEqual(await world.store.rollouts.open(), undefined);
    world.isStoreThere = true;
    await world.pass(6000);
    assert.equal(await world.store.rollouts.open(), undefined);
    assert.equal((await actions(world)).at(-1), 'rollout.broken');
    assert.equal(world.isTicking, false);
  });

  it('acknowledges no approval that it cannot keep', async () => {
    const world = new RunnerWorld();
    await world.begin({ ...EMPTY_PLAN, approvals: 1 });
    const rollout = world.runner.open;
    assert.ok(rollout !== undefined);
    world.isStoreThere = false;
    const approve = {
      kind: 'approve',
      at: world.now,
      actor: 'ben',
      reason: '',
      evidence: evidenceHash(rollout),
    } as const;
    assert.equal(await world.runner.dispatch(approve), 'unavailable');
    assert.equal(world.runner.open?.approvals.length, 0);
    world.isStoreThere = true;
    await world.runner.dispatch(approve);
    assert.equal(await world.settled(), 'active');
  });

  it('has nothing judged again that replay has shown', async () => {
    const world = new RunnerWorld();
    await world.begin({ ...FULL_PLAN, approvals: 0 });
    await settle();
    world.isStoreThere = false;
    world.endReplay.resolve(replayOf(1, 0));
    assert.equal(await world.settled(), 'replay');
    world.isStoreThere = true;
    assert.equal(await world.pass(6000), 'shadow');
    assert.equal(world.replays.length, 1);
  });

  it('lets none begin', async () => {
    const world = new RunnerWorld();
    world.isStoreThere = false;
    await assert.rejects(world.begin(CANARY), { code: 'unavailable' });
    assert.equal(world.runner.open, undefined);
  });
});

describe('whoever changed it elsewhere', () => {
  it('is believed', async () => {
    const world = await inCanary();
    const row = await world.store.rollouts.open();
    assert.ok(row !== undefined);
    const state = { ...row.state, phase: 'aborted', step: 0, endedAt: 5 };
    await world.store.rollouts.update({ ...row, isOpen: false, state }, row.version);
    assert.equal(await world.runner.dispatch(hand('pause', world)), 'changed');
    assert.equal(await world.settled(), 'aborted');
    assert.equal(world.workers.candidate, undefined);
    assert.equal(world.isTicking, false);
    assert.equal(world.logged.at(-1), 'closed');
  });
});

describe('a process that begins anew', () => {
  const always = async () => true;

  it('goes on with the step it was in, from the start of it', async () => {
    const world = await inCanary();
    await world.pass(1000);
    assert.equal(await world.pass(750), 'canary 1');
    const again = new RunnerWorld(world);
    await again.runner.takeUp(always);
    assert.equal(await again.settled(), 'canary 1');
    assert.deepEqual(again.workers.log, ['try 0.5']);
    assert.equal(await again.pass(750), 'canary 1');
    assert.equal(await again.pass(500), 'active');
    assert.ok((await actions(again)).includes('rollout.restarted'));
  });

  it('finds nothing to do where nothing was under way', async () => {
    const world = new RunnerWorld();
    await world.runner.takeUp(always);
    assert.equal(await world.settled(), 'none');
    assert.equal(world.isTicking, false);
  });

  it('judges the recording again that was not judged to its end', async () => {
    const world = new RunnerWorld();
    await world.begin(FULL_PLAN);
    await settle();
    const again = new RunnerWorld(world);
    await again.runner.takeUp(always);
    assert.equal(await again.settled(), 'replay');
    assert.equal(again.replays.length, 1);
    again.endReplay.resolve(replayOf(1, 0));
    assert.equal(await again.settled(), 'approval');
    const third = new RunnerWorld(again);
    await third.runner.takeUp(always);
    assert.equal(await third.settled(), 'approval');
    assert.deepEqual([third.replays, third.workers.log], [[], []]);
  });

  const failures: readonly [name: string, recompiled: RunnerWorld['recompiled']][] = [
    ['cannot be compiled any more', ConfigError.at('x', 'is wrong')],
    ['would be another revision by now', bundleOf('e'.repeat(64))],
  ];
  for (const [name, recompiled] of failures) {
    it(`rolls back what ${name}`, async () => {
      const again = new RunnerWorld(await inCanary());
      again.recompiled = recompiled;
      await again.runner.takeUp(always);
      assert.equal(await again.settled(), 'rolled-back');
      assert.deepEqual(again.workers.log, []);
    });
  }

  it('leaves alone what was tried beside another revision', async () => {
    const again = new RunnerWorld(await inCanary());
    await again.runner.takeUp(async () => false);
    assert.equal(await again.settled(), 'superseded');
    assert.deepEqual(again.workers.log, []);
    assert.equal(await again.store.rollouts.open(), undefined);
  });

  it('has no candidate beside itself', async () => {
    const again = new RunnerWorld(await inCanary());
    again.workers.active = bundleOf(REVISION);
    await again.runner.takeUp(always);
    assert.equal(await again.settled(), 'superseded');
  });

  it('finishes what was decided, whether it is live already or not', async () => {
    for (const isLive of [true, false]) {
      const world = await activatingWorld();
      const again = new RunnerWorld(world);
      if (isLive) again.workers.active = bundleOf(REVISION);
      await again.runner.takeUp(async () => false);
      assert.equal(await again.settled(), 'active');
      assert.equal(again.workers.active?.revision, REVISION);
    }
  });

  it('closes what it cannot read, and says so', async () => {
    const world = await inCanary();
    const row = await world.store.rollouts.open();
    assert.ok(row !== undefined);
    for (const state of [
      {},
      { ...row.state, phase: 'sideways' },
      { ...row.state, step: 7 },
      { ...row.state, plan: { steps: [] } },
      { ...row.state, id: 'other' },
    ]) {
      const version = (await world.store.rollouts.get(row.id))?.version ?? 0;
      await world.store.rollouts.update({ ...row, state }, version);
      const again = new RunnerWorld(world);
      await again.runner.takeUp(always);
      assert.equal(await again.settled(), 'none');
      assert.ok(again.logged.includes('rollout-unreadable'));
      assert.equal(await again.store.rollouts.open(), undefined);
      assert.deepEqual(again.workers.log, []);
    }
  });
});

/** A process that died between the decision that a revision goes live and its end. */
async function activatingWorld(): Promise<RunnerWorld> {
  const world = await inCanary();
  const row = await world.store.rollouts.open();
  assert.ok(row !== undefined);
  const state = { ...row.state, phase: 'activating', step: 0, deadline: undefined };
  await world.store.rollouts.update({ ...row, state }, row.version);
  return world;
}

describe('something else is live meanwhile', () => {
  it('which was renewed: so is what is tried beside it, from the start of its step', async () => {
    for (const isSeenFirst of [true, false]) {
      const world = await inCanary();
      await world.pass(750);
      world.workers.lose(new Error('another revision is active'));
      world.workers.active = bundleOf(BASE, { text: 'renewed' });
      world.recompiled = bundleOf(REVISION, { text: 'with new secrets' });
      // The loss may be seen before anybody tells of the renewal.
      if (isSeenFirst) await world.pass(250);
      await world.runner.onOtherLive();
      await world.runner.onOtherLive();
      assert.equal(await world.settled(), 'canary 0');
      assert.equal(world.workers.candidate?.bundle.text, 'with new secrets');
      const acts = world.runner.open?.history.map(({ act }) => act);
      assert.equal(acts?.filter((act) => act === 'restarted').length, 1);
      assert.equal(await world.pass(750), 'canary 0');
      assert.equal(await world.pass(500), 'canary 1');
    }
  });

  it('which says something else: there is nothing to compare with any more', async () => {
    const world = await inCanary();
    world.workers.lose(new Error('another revision is active'));
    world.workers.active = bundleOf('e'.repeat(64));
    assert.equal(await world.pass(250), 'superseded');
    const waiting = new RunnerWorld();
    await waiting.begin({ ...EMPTY_PLAN, approvals: 1 });
    waiting.workers.active = bundleOf('e'.repeat(64));
    await waiting.runner.onOtherLive();
    assert.equal(await waiting.settled(), 'superseded');
  });

  it('which is the revision itself', async () => {
    const world = new RunnerWorld();
    await world.begin(EMPTY_PLAN);
    await world.runner.onOtherLive();
    assert.equal(await world.settled(), 'active');
  });
});
