export * from './activation.ts';
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
