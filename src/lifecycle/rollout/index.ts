export { type Desired, desiredOf } from './desired.ts';
export type * from './events.ts';
export { evidenceHash } from './evidence-hash.ts';
export { beginRollout, type RolloutStart, type StepResult, shareOfFlips, stepRollout } from './machine.ts';
export * from './rollout.ts';
