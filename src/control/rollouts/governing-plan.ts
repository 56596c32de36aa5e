import type { RolloutPlan } from '../../contract/index.ts';
import type { RolloutBundle } from './ports.ts';

type Planned = Pick<RolloutBundle, 'rollout'>;

/**
 * The way a revision has to go: that of its own document, and never an easier one than that of the revision in service. What
 * is in force goes for what is to replace it: a document that is published with laxer rules is judged by them from the next
 * time on.
 */
export function governingPlan(candidate: Planned, active: Planned): RolloutPlan | undefined {
  const own = candidate.rollout;
  const live = active.rollout;
  if (own === undefined || live === undefined) return own ?? live;
  return {
    approvals: Math.max(own.approvals, live.approvals),
    replay: strictestReplay(own.replay, live.replay),
    shadow: longestShadow(own.shadow, live.shadow),
    steps: isEasier(own.steps, live.steps) ? live.steps : own.steps,
    gates: {
      denyRate: lower(own.gates.denyRate, live.gates.denyRate),
      errorRate: lower(own.gates.errorRate, live.gates.errorRate),
      p99: lower(own.gates.p99, live.gates.p99),
      flips: lower(own.gates.flips, live.gates.flips),
    },
  };
}

function strictestReplay(own: RolloutPlan['replay'], live: RolloutPlan['replay']): RolloutPlan['replay'] {
  if (own === undefined || live === undefined) return own ?? live;
  return {
    recordsMs: Math.max(own.recordsMs, live.recordsMs),
    maxFlips: Math.min(own.maxFlips, live.maxFlips),
  };
}

function longestShadow(own: RolloutPlan['shadow'], live: RolloutPlan['shadow']): RolloutPlan['shadow'] {
  if (own === undefined || live === undefined) return own ?? live;
  return {
    forMs: Math.max(own.forMs, live.forMs),
    share: Math.max(own.share, live.share),
    budget: Math.max(own.budget, live.budget),
  };
}

/** Taking less time, or letting more callers meet it at first. */
function isEasier(own: RolloutPlan['steps'], live: RolloutPlan['steps']): boolean {
  if (live.length === 0) return false;
  return own.length === 0 || lengthOf(own) < lengthOf(live) || own[0].cohort.share > live[0].cohort.share;
}

const lengthOf = (steps: RolloutPlan['steps']): number => steps.reduce((sum, { forMs }) => sum + forMs, 0);

/** A gate that is not there lets all through. */
function lower(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
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
