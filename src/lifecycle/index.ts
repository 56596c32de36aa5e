export * from './activation.ts';
export {
  type DocumentTestDeps,
  type DocumentTestResult,
  runDocumentTests,
  testIssues,
  type UnmetExpectation,
} from './document-tests.ts';
