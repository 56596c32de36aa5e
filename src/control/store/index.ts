export { NodeStore, type NodeStoreOptions } from './node-store.ts';
export type { ChangeHandlers } from './store-follower.ts';
