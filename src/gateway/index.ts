export type { NodeCounts } from './connection-places.ts';
export { DataPlane, type DataPlaneDeps } from './data-plane.ts';
export type { ShadowWorld } from './shadow/index.ts';
