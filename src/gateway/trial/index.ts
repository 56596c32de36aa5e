export type { TrialPart } from './part.ts';
export { Shadowing } from './shadowing.ts';
export { Trials } from './trials.ts';
