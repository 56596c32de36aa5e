export { type ExplainOptions, explain } from './explain.ts';
export type * from './explanation.ts';
export { recordOfTried, type TriedRequest } from './tried-request.ts';
