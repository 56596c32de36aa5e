export { type GateFinding, type GateName, type GateVerdict, GateWatch, SUSPECTED } from './gate-watch.ts';
