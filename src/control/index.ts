import { createSystemRandom } from '../lib/system.ts';
import { createMeter } from '../observability/index.ts';
import type { Recording } from '../recording/index.ts';
import { openSharedQuotas, type StoreSettings } from '../state/index.ts';
import type { CallerDeps, KeptCallers, MasterKeySource } from './callers/index.ts';
import type { DocumentSources, DocumentSourcesDeps } from './document-sources.ts';
import type { NodesDeps, NodeWatch } from './nodes/index.ts';
import { isSameBundle, type OfferedBundle } from './offered-bundle.ts';
import type { KeptQuotas, QuotasDeps } from './quotas/index.ts';
import type { RecordingDesk, RecordingsDeps } from './recordings/index.ts';

export {
  type AdminDeps,
  createAdminServer,
  type DocumentOffer,
  isLoopback,
  type OfferResult,
  type PolicySummary,
  type Readiness,
} from './admin/index.ts';
export type { Callers } from './callers/index.ts';
export { documentFolder } from './document-folder.ts';
export { ExplainDesk } from './explain/index.ts';
export type { FirstRevision } from './first-revision.ts';
export { AddressControl } from './live/address-control.ts';
export { judgeRefresh } from './live/feed-guard.ts';
export { createFeedReader, NO_MARK } from './live/feed-reader.ts';
export { NO_LISTS } from './live/feeds.ts';
export { versionOf } from './live/list-shelf.ts';
export type { NodeWatch } from './nodes/index.ts';
export { Publisher, type PublishRequest, type PublishResult, type Refusal } from './publisher.ts';
export { Publishing, type RolloutParts } from './publishing.ts';
export type { QuotaDesk } from './quotas/index.ts';
export { readinessOf } from './readiness.ts';
export type { RecordingDesk } from './recordings/index.ts';
export type { ReplayMessage, ReplaySetup, ReplayThread } from './rollouts/index.ts';
export { NodeStore } from './store/index.ts';
export { type AdminToken, loadAdminToken, readAdminToken } from './token.ts';
export type {
  AnswerMessage,
  AnswerValue,
  BanMessage,
  OrderMessage,
  WorkerFailure,
  WorkerOrder,
  WorkerSetup,
} from './worker-protocol.ts';
export { WorkerPool, type WorkerPoolDeps, type WorkerStatus } from './workers.ts';
export type { DocumentSources, DocumentSourcesDeps };
export { isSameBundle, type OfferedBundle };

/** Those who look after live callers, with what they know. Loaded when asked for, once the workers are on their way. */
export async function openCallers(
  deps: Omit<CallerDeps, 'declared' | 'keys'>,
  active: () => OfferedBundle | undefined,
  masterKeys: MasterKeySource,
): Promise<KeptCallers> {
  const { Callers, DeclaredCallers, keepCallers, openMasterKeys } = await import('./callers/index.ts');
  const parts = { declared: new DeclaredCallers(active), keys: openMasterKeys(masterKeys) };
  return await keepCallers(new Callers({ ...deps, ...parts }));
}

/** Those who keep usage of quotas, and look after it. Loaded once the workers are on their way. */
export async function openQuotas(
  deps: Omit<QuotasDeps, 'shared'> & { readonly shared: StoreSettings | undefined },
): Promise<KeptQuotas> {
  const quotas = await import('./quotas/index.ts');
  const { shared: store, clock, log } = deps;
  // Whether the store is there is for the workers to tell in the metrics: they count in it.
  const open = (settings: StoreSettings) =>
    openSharedQuotas(settings, { clock, random: createSystemRandom(), meter: createMeter(), log });
  const shared = store === undefined ? undefined : () => open(store);
  return await quotas.keepQuotas(quotas.openQuotas({ ...deps, shared }), store !== undefined);
}

/** The recording of a node. What it is made of is loaded once it is asked for, which is when all is served. */
export class Recordings {
  readonly #deps: RecordingsDeps;
  #desk: Promise<RecordingDesk> | undefined;

  constructor(deps: RecordingsDeps) {
    this.#deps = deps;
  }

  /** Who looks after it; with the first call workers begin to record. */
  desk(): Promise<RecordingDesk> {
    this.#desk ??= import('./recordings/index.ts').then(async ({ startRecordings }) => {
      return await startRecordings(this.#deps);
    });
    return this.#desk;
  }

  async close(): Promise<void> {
    (await this.#desk)?.stop();
  }
}

/** The recording of a data folder, for commands that read it without a running gateway. Rejects with SealError. */
export async function openRecordingIn(masterKeys: MasterKeySource): Promise<Recording> {
  const { recordingIn } = await import('./recordings/index.ts');
  return recordingIn(masterKeys);
}

/** Looks after this node's place among those that have one store. Loaded once it serves. */
export async function openNodes(deps: NodesDeps): Promise<NodeWatch> {
  const nodes = await import('./nodes/index.ts');
  return nodes.openNodes(deps);
}

/** Opens the ways a document comes. What compiles documents is loaded here, once the workers are on their way. */
export async function openDocumentSources(deps: DocumentSourcesDeps): Promise<DocumentSources> {
  const sources = await import('./document-sources.ts');
  return new sources.DocumentSources(deps);
}
export { refuseTaken } from './listener-probe.ts';
export { obeySignals } from './signals.ts';
export type { Thread } from './worker-thread.ts';
