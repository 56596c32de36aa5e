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
export { noFigures, sumFigures } from './trial-figures.ts';
export * from './worker-port.ts';
export type {
  Finding,
  LintInput,
  LintOptions,
  LintRule,
  Severity,
} from './lint/index.ts';

/** The lint, loaded when it is asked for: a gateway starts without it. */
export const loadLint = (): Promise<typeof import('./lint/index.ts')> => import('./lint/index.ts');
