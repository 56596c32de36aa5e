export * from './activation.ts';
export {
  type AttachmentCoverage,
  Coverage,
  type CoverageReport,
  type CoverageShare,
  type RouteCoverage,
} from './coverage.ts';
export {
  type DocumentTestDeps,
  type DocumentTestResult,
  runDocumentTests,
  type TestRequest,
  testIssues,
  type UnmetExpectation,
} from './document-tests.ts';
export type {
  Finding,
  LintInput,
  LintOptions,
  LintRule,
  Severity,
} from './lint/index.ts';
export { noFigures, sumFigures } from './trial-figures.ts';
export * from './worker-port.ts';

/** The lint, loaded when it is asked for: a gateway starts without it. */
export const loadLint = (): Promise<typeof import('./lint/index.ts')> => import('./lint/index.ts');
export type * from './replay/index.ts';
export * from './rollout/index.ts';

/** The replay of recorded requests, loaded when it is asked for. */
export const loadReplay = (): Promise<typeof import('./replay/index.ts')> => import('./replay/index.ts');
export type * from './explain/index.ts';
export * from './gates/index.ts';

/** Why requests are decided as they are, loaded when it is asked for. */
export const loadExplain = (): Promise<typeof import('./explain/index.ts')> => import('./explain/index.ts');
