import type { FlipCount, RolloutPlan, Undecidable } from '../../contract/index.ts';
import type { ConfigIssue } from '../../errors.ts';
import type { GateFinding } from '../gates/index.ts';
import type { Finding } from '../lint/index.ts';

/** Where a rollout is. `activating`: it is decided that the revision goes live, and the workers are being told. */
export type OpenPhase = 'check' | 'tests' | 'replay' | 'approval' | 'shadow' | 'canary' | 'activating';
/** How it ended. Only after `active` is another revision live than before. */
export type EndPhase = 'active' | 'refused' | 'rolled-back' | 'aborted' | 'superseded';
export type RolloutPhase = OpenPhase | EndPhase;

/** Who asked for it: a caller of the API, or the document on disk, which was changed or is to be read again. */
export type RolloutOrigin = 'api' | 'file' | 'signal';

/** What judging recorded requests by the new revision has shown. */
export interface ReplayEvidence {
  /** Requests that both revisions judged, each counted for as many as it stands for. */
  readonly judged: number;
  readonly flips: readonly FlipCount[];
  /** Flips of kinds for which there was no place in `flips`. */
  readonly otherFlips: number;
  readonly undecided: Readonly<Partial<Record<Undecidable, number>>>;
}

/** What one of the two revisions did in a step, as shares of its requests and milliseconds. */
export interface ArmSummary {
  readonly requests: number;
  readonly denied: number;
  readonly gatewayErrors: number;
  readonly upstreamErrors: number;
  /** 99th percentile of what went on to an upstream; undefined where nothing did. */
  readonly p99Ms: number | undefined;
}

/** What live requests have shown in one step. */
export interface TrialEvidence {
  readonly findings: readonly GateFinding[];
  readonly baseline: ArmSummary;
  readonly canary: ArmSummary;
  /** Requests that both revisions judged. */
  readonly judged: number;
  readonly flips: readonly FlipCount[];
  readonly otherFlips: number;
  /** Of requests that were to be judged twice: left out since the budget was used up. */
  readonly leftOut: number;
}

/** Why something happened to a rollout. */
export type Evidence =
  | { readonly kind: 'issues'; readonly issues: readonly ConfigIssue[] }
  /** What is sound and yet most probably not meant so. */
  | { readonly kind: 'findings'; readonly findings: readonly Finding[] }
  | { readonly kind: 'replay'; readonly replay: ReplayEvidence }
  | { readonly kind: 'trial'; readonly trial: TrialEvidence }
  /** A failure of the machine rather than of the revision, in words. */
  | { readonly kind: 'failure'; readonly message: string };

/** What can happen to a rollout, in the past tense. */
export type RolloutAct =
  | 'started'
  | 'checked'
  | 'tested'
  | 'replayed'
  | 'approved'
  | 'passed'
  | 'paused'
  | 'resumed'
  | 'promoted'
  | 'restarted'
  | 'activated'
  | 'failed'
  | 'broken'
  | 'aborted'
  | 'superseded';

/** One thing that happened to it. */
export interface RolloutEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly act: RolloutAct;
  /** Where it was when that happened. */
  readonly phase: RolloutPhase;
  /** Index of the canary step; 0 elsewhere. */
  readonly step: number;
  /** `system`, or who did it. */
  readonly actor: string;
  /** In the words of who did it; '' for none. */
  readonly reason: string;
  readonly evidence: Evidence | undefined;
}

export interface Approval {
  readonly actor: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** What was shown to them: see `evidenceHash`. */
  readonly evidence: string;
}

/** The way of one revision. Immutable plain data: what happens to it makes another. */
export interface Rollout {
  readonly id: string;
  /** 64 hex digits; '' until the document was checked. */
  readonly revision: string;
  /** What was live when it began, and decides all requests that it does not. */
  readonly base: string;
  readonly plan: RolloutPlan;
  readonly origin: RolloutOrigin;
  readonly actor: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly phase: RolloutPhase;
  /** Index of the canary step; 0 elsewhere. */
  readonly step: number;
  /** When this phase or step began, in milliseconds since the epoch. */
  readonly since: number;
  /**
   * When this step has lasted long enough, in milliseconds since the epoch; undefined while time does not count: outside
   * of shadow and canary, until all workers try the revision, and while it is paused.
   */
  readonly deadline: number | undefined;
  /** Undefined where it is not paused. `leftMs`: what was left of the step; undefined where no time counted. */
  readonly paused:
    | { readonly at: number; readonly by: string; readonly leftMs: number | undefined }
    | undefined;
  readonly replay: ReplayEvidence | undefined;
  /** How many others have to agree. */
  readonly approvalsNeeded: number;
  readonly approvals: readonly Approval[];
  /** What happened to it, oldest first; the latest 200. */
  readonly history: readonly RolloutEntry[];
  /** Milliseconds since the epoch; undefined while it is open. */
  readonly endedAt: number | undefined;
}

/** All ways to end. */
export const END_PHASES: readonly EndPhase[] = Object.freeze([
  'active',
  'refused',
  'rolled-back',
  'aborted',
  'superseded',
]);
const ENDS: ReadonlySet<string> = new Set(END_PHASES);

export const isOpen = ({ phase }: Pick<Rollout, 'phase'>): boolean => !ENDS.has(phase);

/** Whether live requests are decided by the revision in this phase: what fails then is rolled back. */
export const isDeciding = (phase: RolloutPhase): boolean => phase === 'canary' || phase === 'activating';
