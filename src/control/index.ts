import type { DocumentSources, DocumentSourcesDeps } from './document-sources.ts';

export {
  type AdminDeps,
  createAdminServer,
  type DocumentOffer,
  isLoopback,
  type OfferResult,
  type PolicySummary,
  type Readiness,
} from './admin/index.ts';
export { type FirstRevision, publishFirst } from './first-revision.ts';
export { isSameBundle, type OfferedBundle } from './offered-bundle.ts';
export { Publisher, type PublishRequest, type PublishResult, type Refusal } from './publisher.ts';
export { Reload } from './reload.ts';
export { RevisionRecord } from './revision-record.ts';
export { type AdminToken, loadAdminToken, readAdminToken } from './token.ts';
export type {
  AnswerMessage,
  AnswerValue,
  OrderMessage,
  WorkerFailure,
  WorkerOrder,
  WorkerSetup,
} from './worker-protocol.ts';
export { WorkerPool, type WorkerPoolDeps, type WorkerStatus } from './workers.ts';
export type { DocumentSources, DocumentSourcesDeps };

/** Opens the ways a document comes. What compiles documents is loaded here, once the workers are on their way. */
export async function openDocumentSources(deps: DocumentSourcesDeps): Promise<DocumentSources> {
  const sources = await import('./document-sources.ts');
  return new sources.DocumentSources(deps);
}
export { refuseTaken } from './listener-probe.ts';
export { obeySignals } from './signals.ts';
export type { Thread } from './worker-thread.ts';
