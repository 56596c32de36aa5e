export { type GateFinding, type GateName, type GateVerdict, GateWatch } from './gate-watch.ts';
