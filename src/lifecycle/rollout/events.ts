import type { Evidence, ReplayEvidence, TrialEvidence } from './rollout.ts';

/** What is told to a rollout. `at`: milliseconds since the epoch. */
export type RolloutEvent = { readonly at: number } /** `evidence`: what the lint has to say of it. */ & (
  | { readonly kind: 'checked'; readonly revision: string; readonly evidence?: Evidence | undefined }
  | { readonly kind: 'tested' }
  | { readonly kind: 'replayed'; readonly replay: ReplayEvidence }
  /** All workers try the revision as this step has it: its time counts from now. */
  | { readonly kind: 'in-force' }
  | {
      readonly kind: 'judged';
      readonly verdict: 'hold' | 'broken' | 'passed';
      readonly trial: TrialEvidence;
    }
  /** All workers serve the revision. */
  | { readonly kind: 'activated' }
  /** What this phase is for cannot be done: by a fault of the document, or of a worker. */
  | { readonly kind: 'failed'; readonly evidence: Evidence }
  /** Its process, or what it is compared with, began anew: nothing of the step's figures is left. `base`: what is live. */
  | { readonly kind: 'restarted'; readonly base: string }
  /** Another revision takes its place. */
  | { readonly kind: 'superseded'; readonly reason: string }
  | { readonly kind: 'approve'; readonly actor: string; readonly reason: string; readonly evidence: string }
  | { readonly kind: 'pause'; readonly actor: string; readonly reason: string }
  | { readonly kind: 'resume'; readonly actor: string; readonly reason: string }
  | { readonly kind: 'abort'; readonly actor: string; readonly reason: string }
  /** `active`: past all steps that are left. */
  | {
      readonly kind: 'promote';
      readonly actor: string;
      readonly reason: string;
      readonly to: 'next' | 'active';
    }
);

/**
 * Why an event changes nothing. `own-approval`: its author cannot agree with themselves. `other-evidence`: it has shown
 * something else by now than what was agreed to. `too-late`: it is decided that the revision goes live.
 */
export type EventRefusal =
  | 'ended'
  | 'wrong-phase'
  | 'paused'
  | 'not-paused'
  | 'own-approval'
  | 'already-approved'
  | 'other-evidence'
  | 'too-late';
