export {
  type Baseline,
  comparedOf,
  type DecidedCount,
  type DecisionDiff,
  type DiffTotals,
  type JudgedDetail,
  type OutsideCount,
  type ReplayExample,
  type UndecidedCount,
  undecidedByReason,
} from './decision-diff.ts';
export { ImportFaults } from './import-faults.ts';
export { importHar } from './import-har.ts';
export { importLog } from './import-log.ts';
export type { ImportOptions } from './import-record.ts';
export { callersOf } from './provers.ts';
export { type ReplayCallers, type ReplayDeps, type ReplayProgress, replay } from './replay.ts';
