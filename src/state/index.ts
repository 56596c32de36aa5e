export { LiveState } from './live/live-state.ts';
export { createLocalCounters } from './local-counters.ts';
export { ruleFault } from './rule.ts';
export {
  attachSharedCounters,
  createSharedCounters,
  type SharedCounterOptions,
  type SharedCounters,
} from './shared-counters.ts';
