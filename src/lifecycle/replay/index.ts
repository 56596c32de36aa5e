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
export { type ReplayCallers, type ReplayDeps, type ReplayProgress, replay } from './replay.ts';
