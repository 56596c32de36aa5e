export { type BinaryFiles, binariesOnDisk, type FileBytes } from './binary-files.ts';
export {
  type Bundle,
  type BundleCompileDeps,
  type BundleDeps,
  type CheckedDocument,
  compileBundle,
  createBundle,
} from './bundle.ts';
export { Capture, type Captured, readersOf } from './captured.ts';
export { PolicyCatalog } from './catalog.ts';
export { certificateFiles } from './certificate-files.ts';
export { compile, type SnapshotDeps } from './compile/compile.ts';
export { type FeedPlan, listsOf } from './compile/lists.ts';
export { pemBlocks } from './compile/pem.ts';
export { recordingOf } from './compile/recording.ts';
export { rolloutOf } from './compile/rollout.ts';
export { thumbprintOf } from './credentials/mtls.ts';
export { type DeclaredConsumer, type DeclaredCredential, declaredConsumers } from './declared-consumers.ts';
export type { ChangeKind, ChangeSubject, DiffSide, DocumentChange } from './diff/diff.ts';
export type { ValueChange } from './diff/values.ts';
export { fileKey, filesOnDisk, secretsOf } from './document-files.ts';
export { type DocumentPath, formatPath, parsePath } from './document-path.ts';
export {
  type DocumentAttachment,
  type DocumentPlace,
  type DocumentPlaces,
  placesOf,
} from './document-places.ts';
export { isObject, listOf, memberOf, textOf } from './json-shape.ts';
export { type LoadedDocument, loadDocument } from './load.ts';
export { Pacer } from './pacer.ts';
export {
  locateIssues,
  MAX_DOCUMENT_BYTES,
  type ParsedDocument,
  parseDocument,
  type SourcePlace,
} from './parse.ts';
export { PolicyCache } from './policy-cache.ts';
export { publishedSchema } from './published-schema.ts';
export { documentHash, revisionOf } from './revision.ts';
export {
  type DocumentTest,
  type GatewayDocument,
  type ListenerConfig,
  type RouteConfig,
  StructureSchema,
} from './schema/document.ts';
export { DEFAULT_LIMITS } from './schema/listener.ts';

/** The difference of two documents, loaded when it is asked for. */
export const loadDiff = (): Promise<typeof import('./diff/diff.ts')> => import('./diff/diff.ts');
export { TestRequestSchema } from './schema/document-test.ts';
