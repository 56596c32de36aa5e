export type { TrialPart } from './part.ts';
export { Trials } from './trials.ts';
