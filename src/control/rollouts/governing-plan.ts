import type { RolloutPlan } from '../../contract/index.ts';
import type { RolloutBundle } from './ports.ts';

type Planned = Pick<RolloutBundle, 'rollout'>;

/**
 * The way a revision has to go: that of its own document. A document cannot take away what is in force by what it is
 * published with: without a way of its own it goes that of the revision in service, and never with fewer approvals.
 */
export function governingPlan(candidate: Planned, active: Planned): RolloutPlan | undefined {
  const plan = candidate.rollout ?? active.rollout;
  if (plan === undefined) return undefined;
  return { ...plan, approvals: Math.max(plan.approvals, active.rollout?.approvals ?? 0) };
}

/** Whether two revisions differ in nothing but the certificates that listeners prove themselves with. */
export function differsInCertificates(
  one: Pick<RolloutBundle, 'documentHash' | 'files'>,
  other: Pick<RolloutBundle, 'documentHash' | 'files'>,
  certificates: ReadonlySet<string>,
): boolean {
  if (one.documentHash !== other.documentHash) return false;
  const names = new Set([...Object.keys(one.files), ...Object.keys(other.files)]);
  return [...names].every((name) => certificates.has(name) || one.files[name] === other.files[name]);
}
