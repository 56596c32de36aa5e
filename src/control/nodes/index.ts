export type { NodeListener, NodeStatus } from './node-status.ts';
export { NODE_STATES, type NodeState, type NodeView } from './node-view.ts';
export type { NodeList, NodeWatch } from './node-watch.ts';
export { type NodesDeps, openNodes } from './open.ts';
export { ownStatus } from './own-status.ts';
