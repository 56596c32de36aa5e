export { DataPlane, type DataPlaneDeps } from './data-plane.ts';
