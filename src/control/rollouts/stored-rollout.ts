import type { FlipCount, RolloutPlan } from '../../contract/index.ts';
import { type Static, Type } from '../../lib/schema.ts';
import { matches } from '../../lib/schema-check.ts';
import {
  type Evidence,
  isOpen,
  type ReplayEvidence,
  type Rollout,
  type RolloutAct,
  type RolloutOrigin,
  type RolloutPhase,
} from '../../lifecycle/index.ts';
import { type RolloutRow, type StoredRollout, StoreError } from '../../store/index.ts';

/** A rollout as the store keeps it. */
export const rowOf = (rollout: Rollout): RolloutRow => ({
  id: rollout.id,
  revision: rollout.revision,
  base: rollout.base,
  isOpen: isOpen(rollout),
  startedAt: rollout.startedAt,
  state: rollout,
});

/**
 * A rollout from what the store gave back. What decides is checked in full; evidence is only shown.
 * @throws StoreError `corrupt`
 */
export function rolloutIn(row: StoredRollout): Rollout {
  const { state } = row;
  if (!matches(StoredSchema, state)) throw corrupt();
  const { plan, paused, history } = state;
  const rollout: Rollout = {
    ...state,
    plan: planIn(plan),
    deadline: state.deadline,
    paused: paused === undefined ? undefined : { ...paused, leftMs: paused.leftMs },
    replay: state.replay,
    history: history.map((entry) => ({ ...entry, evidence: entry.evidence })),
    endedAt: state.endedAt,
  };
  const isWhole = rollout.id === row.id && rollout.revision === row.revision;
  if (!isWhole || isOpen(rollout) !== row.isOpen || !hasStep(rollout)) throw corrupt();
  return rollout;
}

const corrupt = (): StoreError => new StoreError('corrupt', 'the store holds an unreadable rollout');

/** A step that its plan has not would be one on which nothing is tried. */
function hasStep({ phase, step, plan }: Rollout): boolean {
  if (phase === 'shadow') return plan.shadow !== undefined;
  return phase !== 'canary' || step < plan.steps.length;
}

function planIn({ replay, shadow, gates, ...plan }: Static<typeof PlanSchema>): RolloutPlan {
  const { denyRate, errorRate, p99, flips } = gates;
  return { ...plan, replay, shadow, gates: { denyRate, errorRate, p99, flips } };
}

const Share = Type.Number({ minimum: 0, maximum: 1 });
const Increase = Type.Optional(Type.Number({ minimum: 0 }));
const Ms = Type.Number({ minimum: 0 });
const Texts = Type.Array(Type.String());

const PlanSchema = Type.Object({
  replay: Type.Optional(Type.Object({ recordsMs: Ms, maxFlips: Share })),
  approvals: Type.Integer({ minimum: 0 }),
  shadow: Type.Optional(Type.Object({ share: Share, budget: Share, forMs: Ms })),
  steps: Type.Array(
    Type.Object({
      cohort: Type.Object({ share: Share, consumers: Texts, routes: Texts, addresses: Texts }),
      forMs: Ms,
    }),
  ),
  gates: Type.Object({ denyRate: Increase, errorRate: Increase, p99: Increase, flips: Increase }),
});

const PHASES: readonly RolloutPhase[] = [
  'check',
  'tests',
  'replay',
  'approval',
  'shadow',
  'canary',
  'activating',
  'active',
  'refused',
  'rolled-back',
  'aborted',
  'superseded',
];
const ORIGINS: readonly RolloutOrigin[] = ['api', 'file', 'signal'];
const Phase = Type.Unsafe<RolloutPhase>({ enum: PHASES });

const StoredSchema = Type.Object({
  id: Type.String(),
  revision: Type.String(),
  base: Type.String(),
  plan: PlanSchema,
  origin: Type.Unsafe<RolloutOrigin>({ enum: ORIGINS }),
  actor: Type.String(),
  reason: Type.String(),
  startedAt: Ms,
  phase: Phase,
  step: Type.Integer({ minimum: 0 }),
  since: Ms,
  deadline: Type.Optional(Ms),
  paused: Type.Optional(Type.Object({ at: Ms, by: Type.String(), leftMs: Type.Optional(Ms) })),
  replay: Type.Optional(
    Type.Unsafe<ReplayEvidence>(
      Type.Object({
        judged: Ms,
        flips: Type.Array(Type.Unsafe<FlipCount>(Type.Object({ count: Ms }))),
        otherFlips: Ms,
        undecided: Type.Object({}),
      }),
    ),
  ),
  approvalsNeeded: Type.Integer({ minimum: 0 }),
  approvals: Type.Array(Type.Object({ actor: Type.String(), at: Ms, evidence: Type.String() })),
  history: Type.Array(
    Type.Object({
      at: Ms,
      act: Type.Unsafe<RolloutAct>({ type: 'string' }),
      phase: Phase,
      step: Type.Integer({ minimum: 0 }),
      actor: Type.String(),
      reason: Type.String(),
      evidence: Type.Optional(Type.Unsafe<Evidence>(Type.Object({ kind: Type.String() }))),
    }),
  ),
  endedAt: Type.Optional(Ms),
});
