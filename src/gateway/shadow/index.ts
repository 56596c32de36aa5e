/** Loaded once there is a trial that asks for it: a worker starts without. */
export { SecondJudges, type ShadowWorld } from './judges.ts';
export { Shadow, type ShadowMeters } from './shadow.ts';
