export { type ExplainOptions, explain } from './explain.ts';
export type * from './explanation.ts';
