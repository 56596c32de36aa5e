export {
  type Asked,
  type RollbackResult,
  type RolloutDesk,
  RolloutError,
  type ShownRollout,
} from './desk.ts';
export { Rollouts, type RolloutsDeps } from './open.ts';
export {
  createReplayer,
  type ReplayerDeps,
  type ReplayMessage,
  type ReplaySetup,
  type ReplayThread,
} from './replay-in-thread.ts';
