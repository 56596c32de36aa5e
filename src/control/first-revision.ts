import type { Logger } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { type DiskMark, type LastGood, type Store, type StoredRevision, StoreError } from '../store/index.ts';
import type { DocumentSources } from './document-sources.ts';
import type { OfferedBundle } from './offered-bundle.ts';
import type { Publisher } from './publisher.ts';

export interface FirstRevisionDeps {
  readonly publisher: Publisher<OfferedBundle>;
  readonly sources: Pick<DocumentSources, 'diskDocument' | 'fromDisk' | 'fromLastGood' | 'fromText'>;
  readonly lastGood: LastGood;
  readonly diskMark: Pick<DiskMark, 'load'>;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  readonly log: Logger;
  /** Whether other nodes have the same store. */
  readonly isShared: boolean;
}

export type FirstRevision =
  /** `store`: the document on disk has not changed since it was replaced. */
  | { readonly revision: string; readonly source: 'document' | 'store' }
  /** `savedAtMs`: when it was last taken into service, in milliseconds since the epoch. */
  | { readonly revision: string; readonly source: 'last-good'; readonly savedAtMs: number };

const ASK = { actor: 'system' } as const;
/** Served here alone: other nodes are not to follow. */
const HERE = { isFollowed: true } as const;

/**
 * Brings a first revision into service: what the store says is active, unless the document on disk has changed since
 * somebody decided of it; then that. When it cannot be served, the last good revision, loudly. Throws ConfigError with
 * the document's issues when there is neither.
 */
export async function publishFirst(deps: FirstRevisionDeps): Promise<FirstRevision> {
  const { publisher, sources, log } = deps;
  const stored = await publishStored(deps);
  if (stored !== undefined && stored !== 'others-decide') return stored;
  // A node that cannot serve what is live, or does not hear of it, must not take the others along.
  const ask = { ...ASK, ...(stored === 'others-decide' ? HERE : {}) };
  const result = await publisher.publish({ ...ask, origin: 'start', load: () => sources.fromDisk() });
  if (result.outcome !== 'refused') return { revision: result.revision ?? '', source: 'document' };
  const kept = keptRevision(deps);
  if (kept === undefined) throw new ConfigError(result.issues);
  const askKept = { ...ASK, ...(deps.isShared ? HERE : {}) };
  const second = await publisher.publish({
    ...askKept,
    origin: 'start',
    load: () => sources.fromLastGood(kept),
  });
  if (second.outcome === 'refused') {
    log.error('last-good-refused', { revision: kept.revision, issues: second.issues });
    throw new ConfigError(result.issues);
  }
  publisher.refuse('start', result);
  const { revision, savedAt: savedAtMs } = kept;
  const savedAt = new Date(savedAtMs).toISOString();
  log.error('serving-last-good', { revision, savedAt, issues: result.issues });
  return { revision, source: 'last-good', savedAtMs };
}

/** With its files as they are now, as a running gateway would have taken them; where they cannot be served, as they were. */
async function publishStored(deps: FirstRevisionDeps): Promise<FirstRevision | 'others-decide' | undefined> {
  const { publisher, sources, log } = deps;
  const stored = await storedRevision(deps);
  if (stored === 'unknown') return await publishKept(deps);
  if (stored === undefined || stored === 'others-decide') return stored;
  const { id, document, files, createdAt: savedAt } = stored;
  const loads = [
    () => sources.fromText(document),
    () => sources.fromLastGood({ revision: id, document, files, savedAt }),
  ];
  for (const load of loads) {
    const followed = deps.isShared ? HERE : {};
    const result = await publisher.publish({ ...ASK, ...followed, origin: 'store', load });
    if (result.outcome !== 'refused') return { revision: result.revision ?? id, source: 'store' };
    log.error('stored-revision-refused', { revision: id, issues: result.issues });
  }
  return deps.isShared ? 'others-decide' : undefined;
}

/**
 * Without a store, what was served last is what the store would say: not the document on disk that somebody has replaced
 * since. Undefined where that is the same, or cannot be served.
 */
async function publishKept(deps: FirstRevisionDeps): Promise<FirstRevision | undefined> {
  const { publisher, sources, log, diskMark } = deps;
  const kept = keptRevision(deps);
  if (kept === undefined || kept.revision === diskMark.load()?.revision) return undefined;
  const ask = { ...ASK, ...(deps.isShared ? HERE : {}) };
  const result = await publisher.publish({ ...ask, origin: 'store', load: () => sources.fromLastGood(kept) });
  const { revision, savedAt: savedAtMs } = kept;
  if (result.outcome === 'refused') {
    log.error('last-good-refused', { revision, issues: result.issues });
    return undefined;
  }
  const savedAt = new Date(savedAtMs).toISOString();
  log.error('serving-last-good', { revision, savedAt, reason: 'the store cannot be read' });
  return { revision, source: 'last-good', savedAtMs };
}

/** What is to be served in place of the document on disk; undefined where that is. `unknown`: the store does not say. */
async function storedRevision(
  deps: FirstRevisionDeps,
): Promise<StoredRevision | 'unknown' | 'others-decide' | undefined> {
  const { diskMark, sources } = deps;
  const decided = diskMark.load();
  const store = deps.store();
  if (store === undefined) return decided === undefined && deps.isShared ? 'others-decide' : undefined;
  // A node that is new to its store brings nothing of its own: the others would have to follow.
  if (decided === undefined) return deps.isShared ? await sharedRevision(store) : undefined;
  const isOther = async (): Promise<boolean> => (await sources.diskDocument()) !== decided.document;
  try {
    const id = deps.isShared ? (await store.active())?.id : await activeIn(store);
    if (id === undefined || id === decided.revision) return undefined;
    if (await isOther()) return undefined;
    return await store.getRevision(id);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return (await isOther()) ? undefined : 'unknown';
  }
}

/** Undefined where nothing is active yet. */
async function sharedRevision(store: Store): Promise<StoredRevision | 'others-decide' | undefined> {
  try {
    const id = (await store.active())?.id;
    return id === undefined ? undefined : await store.getRevision(id);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return 'others-decide';
  }
}

/** What is decided to go live is, although nobody could finish it. */
async function activeIn(store: Store): Promise<string | undefined> {
  const open = await store.rollouts.open();
  const isDecided = open !== undefined && 'phase' in open.state && open.state.phase === 'activating';
  return isDecided ? open.revision : (await store.active())?.id;
}

function keptRevision({ lastGood, log }: FirstRevisionDeps) {
  try {
    return lastGood.load();
  } catch (error) {
    log.error('last-good-unusable', { error });
    return undefined;
  }
}
