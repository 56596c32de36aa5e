export { CurrentTrial } from './current-trial.ts';
export { Trials } from './trials.ts';
