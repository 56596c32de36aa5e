/**
 * What becomes of a rollout when something happens to it. Pure: no clock, no store, no worker. Whoever runs it keeps the
 * result, and brings the workers to what `desiredOf` says of it.
 */
import type { RolloutPlan } from '../../contract/index.ts';
import type { EventRefusal, RolloutEvent } from './events.ts';
import { evidenceHash } from './evidence-hash.ts';
import {
  type Evidence,
  isDeciding,
  isOpen,
  type ReplayEvidence,
  type Rollout,
  type RolloutAct,
  type RolloutOrigin,
  type RolloutPhase,
} from './rollout.ts';

/** What a rollout begins with. */
export interface RolloutStart {
  readonly id: string;
  readonly base: string;
  readonly plan: RolloutPlan;
  readonly origin: RolloutOrigin;
  readonly actor: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export type StepResult = { readonly rollout: Rollout } | { readonly refused: EventRefusal };

const SYSTEM = 'system';
const MAX_HISTORY = 200;

export function beginRollout({ at, ...start }: RolloutStart): Rollout {
  const rollout: Rollout = {
    ...start,
    revision: '',
    startedAt: at,
    phase: 'check',
    step: 0,
    since: at,
    deadline: undefined,
    paused: undefined,
    replay: undefined,
    approvalsNeeded: start.plan.approvals,
    approvals: [],
    history: [],
    endedAt: undefined,
  };
  const { actor, reason } = start;
  return noted(rollout, rollout, 'started', { at, actor, reason });
}

/** What `event` makes of `rollout`, or why it changes nothing. */
export function stepRollout(rollout: Rollout, event: RolloutEvent): StepResult {
  if (!isOpen(rollout)) return { refused: 'ended' };
  switch (event.kind) {
    case 'checked':
      return checked(rollout, event);
    case 'tested':
      return rollout.phase === 'tests' ? onward(rollout, event, 'tested') : WRONG_PHASE;
    case 'replayed':
      return replayed(rollout, event);
    case 'in-force':
      return inForce(rollout, event);
    case 'judged':
      return judged(rollout, event);
    case 'activated':
      return rollout.phase === 'activating' ? onward(rollout, event, 'activated') : WRONG_PHASE;
    case 'failed':
      return failed(rollout, event);
    case 'restarted':
      return restarted(rollout, event);
    case 'superseded':
      return ended(rollout, 'superseded', 'superseded', { ...event, actor: SYSTEM });
    case 'approve':
      return approve(rollout, event);
    case 'pause':
      return pause(rollout, event);
    case 'resume':
      return resume(rollout, event);
    case 'promote':
      return promote(rollout, event);
    case 'abort':
      return ended(rollout, 'aborted', 'aborted', event);
  }
}

type EventOf<K extends RolloutEvent['kind']> = Extract<RolloutEvent, { kind: K }>;

const WRONG_PHASE: StepResult = { refused: 'wrong-phase' };
const TOO_LATE: StepResult = { refused: 'too-late' };

function checked(rollout: Rollout, event: EventOf<'checked'>): StepResult {
  if (rollout.phase !== 'check') return WRONG_PHASE;
  return onward({ ...rollout, revision: event.revision }, event, 'checked', event.evidence);
}

function replayed(rollout: Rollout, event: EventOf<'replayed'>): StepResult {
  if (rollout.phase !== 'replay' || rollout.plan.replay === undefined) return WRONG_PHASE;
  const { replay } = event;
  const isWithin = shareOfFlips(replay) <= rollout.plan.replay.maxFlips;
  // Nothing that replay shows is refused for good: somebody may look at it and agree.
  const approvalsNeeded = Math.max(rollout.plan.approvals, isWithin ? 0 : 1);
  const evidence: Evidence = { kind: 'replay', replay };
  return onward({ ...rollout, replay, approvalsNeeded }, event, 'replayed', evidence);
}

/** Of requests that both revisions judged; 0 where there was none. */
export function shareOfFlips({
  judged: all,
  flips,
  otherFlips,
}: Pick<ReplayEvidence, 'judged' | 'flips' | 'otherFlips'>): number {
  const flipped = flips.reduce((n, { count }) => n + count, otherFlips);
  return all === 0 ? 0 : flipped / all;
}

function inForce(rollout: Rollout, { at }: EventOf<'in-force'>): StepResult {
  const { phase, paused } = rollout;
  const forMs = lengthOf(rollout);
  if ((phase !== 'shadow' && phase !== 'canary') || forMs === undefined) return WRONG_PHASE;
  if (rollout.deadline !== undefined || paused?.leftMs !== undefined) return WRONG_PHASE;
  if (paused !== undefined) return { rollout: { ...rollout, paused: { ...paused, leftMs: forMs } } };
  return { rollout: { ...rollout, deadline: at + forMs } };
}

function judged(rollout: Rollout, event: EventOf<'judged'>): StepResult {
  const { phase, deadline, paused } = rollout;
  if (phase !== 'shadow' && phase !== 'canary') return WRONG_PHASE;
  const { at, verdict, trial } = event;
  const evidence: Evidence = { kind: 'trial', trial };
  // Also while it is paused: a pause keeps it from going on, never from going back.
  if (verdict === 'broken')
    return ended(rollout, endOf(rollout), 'broken', { at, actor: SYSTEM, reason: '', evidence });
  const isOver = deadline !== undefined && at >= deadline;
  if (verdict !== 'passed' || !isOver || paused !== undefined) return { rollout };
  return onward(rollout, event, 'passed', evidence);
}

function failed(rollout: Rollout, { at, evidence }: EventOf<'failed'>): StepResult {
  return ended(rollout, endOf(rollout), 'failed', { at, actor: SYSTEM, reason: '', evidence });
}

/** What fails before it decided anything is refused: nothing has to go back. */
const endOf = ({ phase }: Rollout): 'rolled-back' | 'refused' =>
  isDeciding(phase) ? 'rolled-back' : 'refused';

/** The step begins anew, since its figures are gone; what was agreed to stands. */
function restarted(rollout: Rollout, { at, base }: EventOf<'restarted'>): StepResult {
  const { paused } = rollout;
  const anew: Rollout = {
    ...rollout,
    base,
    since: at,
    deadline: undefined,
    paused: paused === undefined ? undefined : { ...paused, leftMs: undefined },
  };
  return { rollout: noted(anew, rollout, 'restarted', { at, actor: SYSTEM, reason: '' }) };
}

function approve(rollout: Rollout, event: EventOf<'approve'>): StepResult {
  const { at, actor, reason, evidence } = event;
  if (rollout.phase !== 'approval') return WRONG_PHASE;
  const isSame = (other: string): boolean => bareName(other) === bareName(actor);
  if (isSame(rollout.actor)) return { refused: 'own-approval' };
  if (rollout.approvals.some((approval) => isSame(approval.actor))) return { refused: 'already-approved' };
  if (evidence !== evidenceHash(rollout)) return { refused: 'other-evidence' };
  const approvals = [...rollout.approvals, { actor, at, evidence }];
  const after = noted({ ...rollout, approvals }, rollout, 'approved', { at, actor, reason });
  const isEnough = approvals.length >= rollout.approvalsNeeded;
  return { rollout: isEnough && rollout.paused === undefined ? entered(after, at) : after };
}

/** As a reader of the audit takes it: `ann`, `Ann ` and one with characters that are not seen are nobody else. */
const bareName = (actor: string): string =>
  actor
    .normalize('NFKC')
    .replace(/[\p{C}\p{Z}\p{M}\s]/gu, '')
    .toLowerCase();

function pause(rollout: Rollout, { at, actor, reason }: EventOf<'pause'>): StepResult {
  const { deadline } = rollout;
  if (rollout.phase === 'activating') return TOO_LATE;
  if (isBeingRead(rollout)) return WRONG_PHASE;
  if (rollout.paused !== undefined) return { refused: 'paused' };
  const leftMs = deadline === undefined ? undefined : Math.max(0, deadline - at);
  const after: Rollout = { ...rollout, deadline: undefined, paused: { at, by: actor, leftMs } };
  return { rollout: noted(after, rollout, 'paused', { at, actor, reason }) };
}

function resume(rollout: Rollout, { at, actor, reason }: EventOf<'resume'>): StepResult {
  const { paused } = rollout;
  if (paused === undefined) return { refused: 'not-paused' };
  const deadline = paused.leftMs === undefined ? undefined : at + paused.leftMs;
  const after: Rollout = { ...rollout, deadline, paused: undefined };
  const resumed = noted(after, rollout, 'resumed', { at, actor, reason });
  return { rollout: isDone(resumed) ? entered(resumed, at) : resumed };
}

/** What was finished while it was paused. */
function isDone({ phase, approvals, approvalsNeeded, replay }: Rollout): boolean {
  if (phase === 'approval') return approvals.length >= approvalsNeeded;
  return phase === 'replay' && replay !== undefined;
}

function promote(rollout: Rollout, { at, actor, reason, to }: EventOf<'promote'>): StepResult {
  const { phase } = rollout;
  if (phase === 'activating') return TOO_LATE;
  if (phase !== 'shadow' && phase !== 'canary') return WRONG_PHASE;
  if (rollout.paused !== undefined) return { refused: 'paused' };
  const after = noted(rollout, rollout, 'promoted', { at, actor, reason });
  return { rollout: to === 'next' ? entered(after, at) : inPhase(after, 'activating', 0, at) };
}

/** On to the next phase, unless it is paused: check and tests are never. */
function onward(
  rollout: Rollout,
  { at }: Pick<RolloutEvent, 'at'>,
  act: RolloutAct,
  evidence?: Evidence,
): StepResult {
  const after = noted(rollout, rollout, act, { at, actor: SYSTEM, reason: '', evidence });
  return { rollout: rollout.paused === undefined ? entered(after, at) : after };
}

function entered(rollout: Rollout, at: number): Rollout {
  const [phase, step] = nextPhase(rollout);
  return phase === 'active'
    ? { ...inPhase(rollout, phase, 0, at), endedAt: at }
    : inPhase(rollout, phase, step, at);
}

const inPhase = (rollout: Rollout, phase: RolloutPhase, step: number, at: number): Rollout => ({
  ...rollout,
  phase,
  step,
  since: at,
  deadline: undefined,
});

function ended(
  rollout: Rollout,
  phase: 'refused' | 'rolled-back' | 'aborted' | 'superseded',
  act: RolloutAct,
  what: Noted,
): StepResult {
  if (act !== 'failed') {
    // What is half done is finished: some workers may serve it already.
    if (rollout.phase === 'activating') return TOO_LATE;
    if (isBeingRead(rollout)) return WRONG_PHASE;
  }
  const { at } = what;
  const after: Rollout = { ...inPhase(rollout, phase, 0, at), paused: undefined, endedAt: at };
  return { rollout: noted(after, rollout, act, what) };
}

/** Whether its document is looked at, which is a matter of moments. */
const isBeingRead = ({ phase }: Rollout): boolean => phase === 'check' || phase === 'tests';

/** What comes after the phase that a rollout is in. */
function nextPhase({ phase, step, plan, approvalsNeeded }: Rollout): readonly [RolloutPhase, number] {
  const isLast = step + 1 >= plan.steps.length;
  switch (phase) {
    case 'check':
      return ['tests', 0];
    case 'tests':
      if (plan.replay !== undefined) return ['replay', 0];
      return approvalsNeeded > 0 ? ['approval', 0] : firstTrial(plan);
    case 'replay':
      return approvalsNeeded > 0 ? ['approval', 0] : firstTrial(plan);
    case 'approval':
      return firstTrial(plan);
    case 'shadow':
      return plan.steps.length > 0 ? ['canary', 0] : ['activating', 0];
    case 'canary':
      return isLast ? ['activating', 0] : ['canary', step + 1];
    default:
      return ['active', 0];
  }
}

function firstTrial({ shadow, steps }: RolloutPlan): readonly [RolloutPhase, number] {
  if (shadow !== undefined) return ['shadow', 0];
  return steps.length > 0 ? ['canary', 0] : ['activating', 0];
}

/** How long the step is held at least, in milliseconds. */
function lengthOf({ phase, step, plan }: Rollout): number | undefined {
  return phase === 'shadow' ? plan.shadow?.forMs : plan.steps[step]?.forMs;
}

interface Noted {
  readonly at: number;
  readonly actor: string;
  readonly reason: string;
  readonly evidence?: Evidence | undefined;
}

/** `before`: where it was when it happened. */
function noted(
  rollout: Rollout,
  { phase, step }: Rollout,
  act: RolloutAct,
  { at, actor, reason, evidence }: Noted,
): Rollout {
  const entry = { at, act, phase, step, actor, reason, evidence };
  return { ...rollout, history: [...rollout.history, entry].slice(-MAX_HISTORY) };
}
