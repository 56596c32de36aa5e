import { type GateFinding, isOpen, SUSPECTED } from '../../lifecycle/index.ts';
import type { RolloutView } from './runner.ts';

/** What a rollout waits for, in words; undefined where it has ended. `nowMs`: since the epoch. */
export function waitsFor({ rollout, live, waitsForStore }: RolloutView, nowMs: number): string | undefined {
  const { phase, paused, approvals, approvalsNeeded, deadline } = rollout;
  if (!isOpen(rollout)) return undefined;
  if (waitsForStore) return 'the store, which cannot keep where it is';
  if (paused !== undefined) return `somebody to resume it: paused by ${paused.by}`;
  if (phase === 'replay') return 'the recording to be judged';
  if (phase === 'approval') {
    const left = approvalsNeeded - approvals.length;
    return `${left} ${left === 1 ? 'approval' : 'approvals'} by others than ${rollout.actor}`;
  }
  if (phase === 'activating') return 'all workers to serve it';
  if (deadline === undefined) return 'all workers to try it';
  if (nowMs < deadline) return 'the time of this step to pass';
  return moreOf(live?.findings ?? []);
}

/** What is missing once the time of a step is over. */
function moreOf(findings: readonly GateFinding[]): string {
  if (findings.some(({ sureness }) => sureness >= SUSPECTED))
    return 'more requests: a gate looks broken, and is not sure yet';
  return findings.some(({ state }) => state === 'unseen')
    ? 'more requests: some gates have too few to compare'
    : 'more requests to judge by';
}
