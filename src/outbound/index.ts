export { createNetwork } from './network.ts';
export { OFFLINE, offlineResources } from './offline.ts';
export { ResourcePool } from './resource-pool.ts';
