import type { Trial } from '../../contract/index.ts';
import type { Rollout } from './rollout.ts';

/** What the workers are to do: serve what is live alone, try a revision beside it, or serve that one alone. */
export type Desired =
  | { readonly kind: 'baseline' }
  | { readonly kind: 'trial'; readonly trial: Trial }
  | { readonly kind: 'live'; readonly revision: string };

const BASELINE: Desired = Object.freeze({ kind: 'baseline' });

/** Whoever began anew in the middle of a rollout brings the workers to the same. */
export function desiredOf(rollout: Rollout): Desired {
  const { id, revision, phase, step, plan } = rollout;
  if (phase === 'activating') return { kind: 'live', revision };
  if (phase !== 'shadow' && phase !== 'canary') return BASELINE;
  const shadow =
    plan.shadow === undefined ? undefined : { share: plan.shadow.share, budget: plan.shadow.budget };
  const canary = phase === 'canary' ? plan.steps[step]?.cohort : undefined;
  return { kind: 'trial', trial: { rollout: id, revision, shadow, canary } };
}
