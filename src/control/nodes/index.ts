export { type NodeListener, type NodeRefusal, type NodeStatus, statusIn } from './node-status.ts';
export { LOST_MS, NODE_STATES, type NodeState, type NodeView } from './node-view.ts';
export type { NodeList, NodeWatch } from './node-watch.ts';
export { type NodesDeps, openNodes } from './open.ts';
export { trialKey } from './trial-key.ts';
