import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  after,
  BASE,
  begin,
  CHECKED,
  cohort,
  EMPTY_PLAN,
  FULL_PLAN,
  NO_GATES,
  REVISION,
  replayOf,
  TRIAL,
} from '../../../test/fixtures/rollouts/rollout-parts.ts';
import type { RolloutPlan } from '../../contract/index.ts';
import { desiredOf, evidenceHash, isOpen, type Rollout, type RolloutEvent, stepRollout } from './index.ts';

const by = (actor: string) => ({ actor, reason: 'so' });
const broken = (at: number): RolloutEvent => ({ kind: 'judged', at, verdict: 'broken', trial: TRIAL });
const passed = (at: number): RolloutEvent => ({ kind: 'judged', at, verdict: 'passed', trial: TRIAL });
const hold = (at: number): RolloutEvent => ({ kind: 'judged', at, verdict: 'hold', trial: TRIAL });
const failed: RolloutEvent = { kind: 'failed', at: 9, evidence: { kind: 'failure', message: 'why' } };
const approval = (rollout: Rollout, actor = 'ben'): RolloutEvent => ({
  kind: 'approve',
  at: 50,
  ...by(actor),
  evidence: evidenceHash(rollout),
});

/** A rollout of the full plan in each phase. */
function stages(): Readonly<Record<string, Rollout>> {
  const check = begin();
  const tests = after(check, CHECKED[0]);
  const replay = after(tests, CHECKED[1]);
  const approvalStage = after(replay, { kind: 'replayed', at: 3, replay: replayOf(100, 0) });
  const shadow = after(approvalStage, approval(approvalStage));
  const shadowInForce = after(shadow, { kind: 'in-force', at: 100 });
  const canary = after(shadowInForce, passed(10_100));
  const canaryInForce = after(canary, { kind: 'in-force', at: 11_000 });
  const second = after(canaryInForce, passed(31_000));
  const secondInForce = after(second, { kind: 'in-force', at: 32_000 });
  const activating = after(secondInForce, passed(52_000));
  const active = after(activating, { kind: 'activated', at: 53_000 });
  const paused = after(canaryInForce, { kind: 'pause', at: 12_000, ...by('ann') });
  return {
    check,
    tests,
    replay,
    approval: approvalStage,
    shadow,
    shadowInForce,
    canary,
    canaryInForce,
    second,
    secondInForce,
    activating,
    active,
    paused,
  };
}

const STAGES = stages();

/** What an event makes of a stage: its phase and step, or why it is refused. */
function made(stage: string, event: RolloutEvent): string {
  const result = stepRollout(STAGES[stage], event);
  if ('refused' in result) return `! ${result.refused}`;
  const { phase, step, paused } = result.rollout;
  return `${phase}${phase === 'canary' ? ` ${step}` : ''}${paused === undefined ? '' : ', paused'}`;
}

describe('a rollout', () => {
  const abort: RolloutEvent = { kind: 'abort', at: 60_000, ...by('ann') };
  const pause: RolloutEvent = { kind: 'pause', at: 60_000, ...by('ann') };
  const resume: RolloutEvent = { kind: 'resume', at: 60_000, ...by('ann') };
  const next: RolloutEvent = { kind: 'promote', at: 60_000, ...by('ann'), to: 'next' };
  const whole: RolloutEvent = { kind: 'promote', at: 60_000, ...by('ann'), to: 'active' };
  const superseded: RolloutEvent = { kind: 'superseded', at: 60_000, reason: 'another' };
  const restarted: RolloutEvent = { kind: 'restarted', at: 60_000, base: BASE };
  const inForce: RolloutEvent = { kind: 'in-force', at: 60_000 };
  const activated: RolloutEvent = { kind: 'activated', at: 60_000 };
  const cases: readonly [stage: string, event: RolloutEvent, becomes: string][] = [
    // What harms goes back, wherever it is.
    ['check', failed, 'refused'],
    ['tests', failed, 'refused'],
    ['replay', failed, 'refused'],
    ['approval', failed, 'refused'],
    ['shadow', failed, 'refused'],
    ['canary', failed, 'rolled-back'],
    ['activating', failed, 'rolled-back'],
    ['shadowInForce', broken(1), 'refused'],
    ['canaryInForce', broken(1), 'rolled-back'],
    ['canary', broken(1), 'rolled-back'],
    ['paused', broken(1), 'rolled-back'],
    ['paused', failed, 'rolled-back'],
    // What is over stays as it ended.
    ['active', failed, '! ended'],
    ['active', abort, '! ended'],
    ['active', next, '! ended'],
    ['active', superseded, '! ended'],
    // Nothing goes on before its time, or on too little.
    ['shadowInForce', passed(10_099), 'shadow'],
    ['shadowInForce', hold(99_999), 'shadow'],
    ['shadow', passed(99_999), 'shadow'],
    ['canaryInForce', passed(30_999), 'canary 0'],
    ['canaryInForce', hold(99_999), 'canary 0'],
    ['paused', passed(99_999), 'canary 0, paused'],
    ['activating', passed(99_999), '! wrong-phase'],
    ['approval', passed(99_999), '! wrong-phase'],
    ['canary', activated, '! wrong-phase'],
    ['approval', inForce, '! wrong-phase'],
    ['canaryInForce', inForce, '! wrong-phase'],
    ['activating', inForce, '! wrong-phase'],
    ['shadow', CHECKED[0], '! wrong-phase'],
    ['check', CHECKED[1], '! wrong-phase'],
    ['check', { kind: 'replayed', at: 1, replay: replayOf(1, 0) }, '! wrong-phase'],
    // By hand.
    ['check', abort, '! wrong-phase'],
    ['replay', abort, 'aborted'],
    ['approval', abort, 'aborted'],
    ['canaryInForce', abort, 'aborted'],
    ['paused', abort, 'aborted'],
    ['activating', abort, '! too-late'],
    ['tests', pause, '! wrong-phase'],
    ['replay', pause, 'replay, paused'],
    ['paused', pause, '! paused'],
    ['activating', pause, '! too-late'],
    ['canaryInForce', resume, '! not-paused'],
    ['paused', resume, 'canary 0'],
    ['replay', next, '! wrong-phase'],
    ['approval', whole, '! wrong-phase'],
    ['paused', whole, '! paused'],
    ['activating', next, '! too-late'],
    ['shadow', next, 'canary 0'],
    ['canary', next, 'canary 1'],
    ['second', next, 'activating'],
    ['shadow', whole, 'activating'],
    ['replay', superseded, 'superseded'],
    ['canary', superseded, 'superseded'],
    ['activating', superseded, '! too-late'],
    // After a crash it stands where it stood.
    ['canaryInForce', restarted, 'canary 0'],
    ['secondInForce', restarted, 'canary 1'],
    ['activating', restarted, 'activating'],
    ['approval', restarted, 'approval'],
    ['activating', activated, 'active'],
  ];
  for (const [stage, event, becomes] of cases) {
    it(`in ${stage}: ${event.kind} → ${becomes}`, () => assert.equal(made(stage, event), becomes));
  }

  it('goes through the phases that its plan has', () => {
    const steps = [{ cohort: cohort(1), forMs: 1 }];
    const shadow = { share: 1, budget: 1, forMs: 1 };
    const ways: readonly [RolloutPlan, string][] = [
      [EMPTY_PLAN, 'activating'],
      [{ ...EMPTY_PLAN, replay: { recordsMs: 1, maxFlips: 0 } }, 'replay'],
      [{ ...EMPTY_PLAN, approvals: 2, shadow, steps }, 'approval'],
      [{ ...EMPTY_PLAN, shadow, steps }, 'shadow'],
      [{ ...EMPTY_PLAN, steps }, 'canary'],
    ];
    for (const [plan, phase] of ways) assert.equal(after(begin(plan), ...CHECKED).phase, phase);
    const withShadow = after(begin({ ...EMPTY_PLAN, shadow }), ...CHECKED, { kind: 'in-force', at: 1 });
    assert.equal(after(withShadow, passed(2)).phase, 'activating');
  });

  it('waits for somebody to agree where replay shows more than it may', () => {
    const plan = { ...EMPTY_PLAN, replay: { recordsMs: 1, maxFlips: 0.01 } };
    const replay = (flips: number) =>
      after(begin(plan), ...CHECKED, { kind: 'replayed', at: 3, replay: replayOf(100, flips) });
    assert.equal(replay(1).phase, 'activating');
    assert.equal(replay(2).phase, 'approval');
    assert.equal(after(replay(2), approval(replay(2))).phase, 'activating');
  });

  it('counts no approval of its author, of one who agreed, or of something else', () => {
    const rollout = { ...STAGES.approval, approvalsNeeded: 2 };
    const refusals: readonly [Rollout, RolloutEvent, string][] = [
      [rollout, approval(rollout, 'ann'), 'own-approval'],
      [after(rollout, approval(rollout)), approval(rollout), 'already-approved'],
      [rollout, approval({ ...rollout, replay: replayOf(99, 0) }), 'other-evidence'],
      [rollout, approval({ ...rollout, base: 'f'.repeat(64) }), 'other-evidence'],
      [rollout, approval({ ...rollout, plan: { ...FULL_PLAN, steps: [] } }), 'other-evidence'],
    ];
    for (const [before, event, refused] of refusals)
      assert.deepEqual(stepRollout(before, event), { refused });
    const one = after(rollout, approval(rollout));
    assert.equal(one.phase, 'approval');
    assert.equal(after(one, approval(rollout, 'cem')).phase, 'shadow');
  });

  it('stands still while it is paused, and holds what was left of its step then', () => {
    assert.equal(STAGES.paused.deadline, undefined);
    const resumed = after(STAGES.paused, { kind: 'resume', at: 50_000, ...by('ann') });
    assert.equal(resumed.deadline, 50_000 + 19_000);
  });

  it('begins a step anew after a restart, paused or not', () => {
    const again = (stage: string) => after(STAGES[stage], restarted, { kind: 'in-force', at: 70_000 });
    assert.equal(again('canaryInForce').deadline, 90_000);
    assert.deepEqual(again('paused').paused?.leftMs, 20_000);
    assert.equal(after(again('paused'), { ...resume, at: 80_000 }).deadline, 100_000);
  });

  it('goes on with what was finished while it was paused', () => {
    const replay = after(STAGES.replay, pause, { kind: 'replayed', at: 61_000, replay: replayOf(1, 0) });
    assert.equal(replay.phase, 'replay');
    assert.equal(after(replay, resume).phase, 'approval');
    const waiting = after(STAGES.approval, pause);
    const agreed = after(waiting, approval(waiting));
    assert.equal(agreed.phase, 'approval');
    assert.equal(after(agreed, resume).phase, 'shadow');
  });

  it('says what happened to it, why and by whom', () => {
    const { history } = after(STAGES.canaryInForce, abort);
    assert.deepEqual(
      history.map(({ act, actor, phase }) => `${act} ${phase} ${actor}`),
      [
        'started check ann',
        'checked check system',
        'tested tests system',
        'replayed replay system',
        'approved approval ben',
        'passed shadow system',
        'aborted canary ann',
      ],
    );
    const [last] = after(STAGES.canaryInForce, broken(5)).history.slice(-1);
    assert.deepEqual([last.act, last.evidence], ['broken', { kind: 'trial', trial: TRIAL }]);
  });

  it('keeps a bounded history', () => {
    let rollout = STAGES.canaryInForce;
    for (let i = 0; i < 200; i++) rollout = after(rollout, pause, resume);
    assert.equal(rollout.history.length, 200);
  });
});

describe('what the workers are to do', () => {
  const trial = (shadow: unknown, canary: unknown) => ({
    kind: 'trial',
    trial: { rollout: 'r1', revision: REVISION, shadow, canary },
  });
  const shadow = { share: 0.1, budget: 0.1 };
  const wanted: readonly [stage: string, desired: unknown][] = [
    ['check', { kind: 'baseline' }],
    ['replay', { kind: 'baseline' }],
    ['approval', { kind: 'baseline' }],
    ['shadow', trial(shadow, undefined)],
    ['canary', trial(shadow, cohort(0.05))],
    ['paused', trial(shadow, cohort(0.05))],
    ['second', trial(shadow, cohort(0.5))],
    ['activating', { kind: 'live', revision: REVISION }],
    ['active', { kind: 'baseline' }],
  ];
  for (const [stage, desired] of wanted) it(stage, () => assert.deepEqual(desiredOf(STAGES[stage]), desired));
});

/** Any plan, and any events in any order at rising times. */
const plans = fc.record({
  replay: fc.option(fc.record({ recordsMs: fc.constant(1), maxFlips: fc.constantFrom(0, 0.5) }), {
    nil: undefined,
  }),
  approvals: fc.nat(2),
  shadow: fc.option(fc.constant({ share: 1, budget: 1, forMs: 10 }), { nil: undefined }),
  steps: fc.array(fc.constant({ cohort: cohort(0.5), forMs: 10 }), { maxLength: 3 }),
  gates: fc.constant(NO_GATES),
});
const people = fc.constantFrom('ann', 'ben', 'cem');
const happenings = fc.oneof(
  { arbitrary: fc.constant('what it waits for'), weight: 4 },
  fc.constantFrom('checked', 'tested', 'in-force', 'activated', 'failed', 'restarted', 'superseded'),
  fc.constantFrom('hold', 'broken', 'passed', 'passed', 'passed'),
  fc.constantFrom('replayed', 'flipped'),
  fc.tuple(
    fc.constantFrom('approve', 'approve other', 'pause', 'resume', 'abort', 'promote', 'promote all'),
    people,
  ),
);

function eventFor(happening: string | readonly [string, string], rollout: Rollout, at: number): RolloutEvent {
  const [what, actor] = typeof happening === 'string' ? [happening, 'system'] : happening;
  const hand = { at, actor, reason: '' };
  if (what === 'what it waits for') return eventFor(awaited(rollout), rollout, at);
  switch (what) {
    case 'checked':
      return { kind: 'checked', at, revision: REVISION };
    case 'failed':
      return { ...failed, at };
    case 'superseded':
      return { kind: 'superseded', at, reason: '' };
    case 'hold':
    case 'broken':
    case 'passed':
      return { kind: 'judged', at, verdict: what, trial: TRIAL };
    case 'replayed':
    case 'flipped':
      return { kind: 'replayed', at, replay: replayOf(10, what === 'flipped' ? 9 : 0) };
    case 'approve':
      return { kind: 'approve', ...hand, evidence: evidenceHash(rollout) };
    case 'approve other':
      return { kind: 'approve', ...hand, evidence: 'f'.repeat(64) };
    case 'promote':
    case 'promote all':
      return { kind: 'promote', ...hand, to: what === 'promote' ? 'next' : 'active' };
    case 'pause':
    case 'resume':
    case 'abort':
      return { kind: what, ...hand };
    case 'tested':
    case 'in-force':
    case 'activated':
      return { kind: what, at };
    default:
      return { kind: 'restarted', at, base: BASE };
  }
}

/** What takes a rollout on from where it is. */
function awaited({ phase, deadline, approvals }: Rollout): string | readonly [string, string] {
  if (phase === 'approval') return ['approve', approvals.length === 0 ? 'ben' : 'cem'];
  if (phase === 'shadow' || phase === 'canary') return deadline === undefined ? 'in-force' : 'passed';
  const waits: Readonly<Record<string, string>> = { check: 'checked', tests: 'tested', replay: 'replayed' };
  return waits[phase] ?? 'activated';
}

const ORDER = ['check', 'tests', 'replay', 'approval', 'shadow', 'canary', 'activating', 'active'];

describe('whatever happens in whatever order', () => {
  it('leaves a rollout in a legal state, one phase on, back, or ended', () => {
    fc.assert(
      fc.property(plans, fc.array(happenings, { maxLength: 40 }), (plan, events) => {
        let rollout = begin(plan);
        let at = 0;
        for (const happening of events) {
          at += 6;
          const before = rollout;
          const result = stepRollout(before, eventFor(happening, before, at));
          if ('refused' in result) continue;
          rollout = result.rollout;
          assertLegal(before, rollout);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('lets nothing go live without its approvals, its tests and its steps', () => {
    let live = 0;
    fc.assert(
      fc.property(plans, fc.array(happenings, { minLength: 20, maxLength: 60 }), (plan, events) => {
        let rollout = begin(plan);
        const acts: string[] = [];
        for (const [i, happening] of events.entries()) {
          const result = stepRollout(rollout, eventFor(happening, rollout, i * 6));
          if ('refused' in result) continue;
          rollout = result.rollout;
          acts.push(...rollout.history.slice(-1).map(({ act }) => act));
        }
        if (rollout.phase !== 'active') return;
        live++;
        for (const act of ['checked', 'tested', 'activated']) assert.ok(acts.includes(act));
        const agreed = new Set(rollout.approvals.map(({ actor }) => actor));
        assert.ok(agreed.size >= rollout.approvalsNeeded && !agreed.has('ann'));
        for (const act of ['broken', 'failed', 'aborted', 'superseded']) assert.ok(!acts.includes(act));
      }),
      { numRuns: 2000 },
    );
    assert.ok(live > 200, `only ${live} went live`);
  });
});

function assertLegal(before: Rollout, now: Rollout): void {
  assert.ok(isOpen(before), 'what has ended changes no more');
  assert.equal(isOpen(now), now.endedAt === undefined);
  assert.ok(now.step === 0 || now.phase === 'canary');
  assert.ok(now.phase !== 'canary' || now.step < now.plan.steps.length);
  assert.ok(now.deadline === undefined || now.paused === undefined);
  assert.ok(now.deadline === undefined || now.phase === 'shadow' || now.phase === 'canary');
  assert.ok(now.phase !== 'shadow' || now.plan.shadow !== undefined);
  assert.deepEqual([now.id, now.base, now.plan], [before.id, before.base, before.plan]);
  const [from, to] = [ORDER.indexOf(before.phase), ORDER.indexOf(now.phase)];
  if (to === -1) return;
  assert.ok(to > from || (to === from && now.step >= before.step), `${before.phase} → ${now.phase}`);
  if (now.phase === 'active') assert.equal(before.phase, 'activating');
  if (now.phase === 'canary' && before.phase === 'canary') assert.ok(now.step - before.step <= 1);
  const wanted = desiredOf(now);
  if (wanted.kind === 'trial') assert.equal(wanted.trial.revision, now.revision);
}
