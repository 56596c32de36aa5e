import { orNull, type Static, Type } from '../lib/schema.ts';
import { type AdminApi, AdminError, expectAnswer } from './admin-client.ts';

const Finding = Type.Object({
  gate: Type.String(),
  state: Type.String(),
  baseline: Type.Number(),
  canary: Type.Number(),
  allowed: Type.Number(),
  sureness: Type.Number(),
});
export type Finding = Static<typeof Finding>;

const Arm = Type.Object({
  requests: Type.Number(),
  denied: Type.Number(),
  gatewayErrors: Type.Number(),
  upstreamErrors: Type.Number(),
  p99Ms: Type.Optional(Type.Number()),
});
export type Arm = Static<typeof Arm>;

const Outcome = Type.Object({
  kind: Type.String(),
  status: Type.Number(),
  route: Type.String(),
  by: Type.Optional(Type.String()),
  code: Type.Optional(Type.String()),
  rule: Type.Optional(Type.String()),
});

const Flip = Type.Object({
  flip: Type.String(),
  before: Outcome,
  after: Outcome,
  consumer: Type.Optional(Type.String()),
  count: Type.Number(),
  examples: Type.Array(Type.String()),
});
export type Flip = Static<typeof Flip>;

const Trial = Type.Object({
  findings: Type.Array(Finding),
  baseline: Arm,
  canary: Arm,
  judged: Type.Number(),
  flips: Type.Array(Flip),
  otherFlips: Type.Number(),
  leftOut: Type.Number(),
});
export type Trial = Static<typeof Trial>;

const Replay = Type.Object({
  judged: Type.Number(),
  flips: Type.Array(Flip),
  otherFlips: Type.Number(),
  undecided: Type.Record(Type.String(), Type.Number()),
});
export type Replay = Static<typeof Replay>;

const Issue = Type.Object({ path: Type.String(), message: Type.String() });
const Evidence = Type.Object({
  kind: Type.String(),
  issues: Type.Optional(Type.Array(Issue)),
  findings: Type.Optional(Type.Array(Type.Object({ severity: Type.String(), rule: Type.String() }))),
  trial: Type.Optional(Trial),
  message: Type.Optional(Type.String()),
});

const Cohort = Type.Object({
  share: Type.Number(),
  consumers: Type.Array(Type.String()),
  routes: Type.Array(Type.String()),
  addresses: Type.Array(Type.String()),
});
export type Cohort = Static<typeof Cohort>;

const Plan = Type.Object({
  replay: Type.Optional(Type.Object({ recordsMs: Type.Number(), maxFlips: Type.Number() })),
  approvals: Type.Number(),
  shadow: Type.Optional(Type.Object({ share: Type.Number(), forMs: Type.Number() })),
  steps: Type.Array(Type.Object({ cohort: Cohort, forMs: Type.Number() })),
});

/** A rollout as the gateway tells of it. */
export const RolloutAnswer = Type.Object({
  id: Type.String(),
  revision: Type.String(),
  base: Type.String(),
  phase: Type.String(),
  step: Type.Integer(),
  actor: Type.String(),
  reason: Type.String(),
  startedAt: Type.String(),
  deadline: orNull(Type.String()),
  endedAt: orNull(Type.String()),
  pausedBy: orNull(Type.String()),
  approvalsNeeded: Type.Integer(),
  approvals: Type.Array(Type.Object({ actor: Type.String(), at: Type.String() })),
  evidence: orNull(Type.String()),
  waitsFor: orNull(Type.String()),
  plan: Plan,
  replay: orNull(Replay),
  replaying: orNull(Type.Object({ records: Type.Number() })),
  live: orNull(Trial),
  history: Type.Array(
    Type.Object({
      at: Type.String(),
      act: Type.String(),
      phase: Type.String(),
      step: Type.Integer(),
      actor: Type.String(),
      reason: Type.String(),
      evidence: orNull(Evidence),
    }),
  ),
});
export type RolloutAnswer = Static<typeof RolloutAnswer>;

const LintFinding = Type.Object({
  rule: Type.String(),
  severity: Type.Union([Type.Literal('error'), Type.Literal('warning'), Type.Literal('note')]),
  path: Type.String(),
  message: Type.String(),
  fix: Type.String(),
  docs: Type.String(),
  file: Type.Optional(Type.String()),
  line: Type.Optional(Type.Integer()),
  column: Type.Optional(Type.Integer()),
});

export const StartedAnswer = Type.Object({
  outcome: Type.String(),
  revision: Type.String(),
  rollout: orNull(Type.String()),
  findings: Type.Optional(Type.Array(LintFinding)),
});

/** One rollout; without an id the one under way or, where none is, the latest. Rejects with AdminError. */
export async function readRollout(api: AdminApi, id = 'current'): Promise<RolloutAnswer> {
  return expectAnswer(RolloutAnswer, await api.get(`/api/rollouts/${encodeURIComponent(id)}`));
}

const ENDS: ReadonlySet<string> = new Set(['active', 'refused', 'rolled-back', 'aborted', 'superseded']);

export const hasEnded = ({ phase }: RolloutAnswer): boolean => ENDS.has(phase);

/** The one under way. Rejects with AdminError where there is none. */
export async function openRollout(api: AdminApi): Promise<RolloutAnswer> {
  const rollout = await readRollout(api);
  if (!hasEnded(rollout)) return rollout;
  throw new AdminError('no rollout is under way; "sallyport rollout status" shows the latest');
}
