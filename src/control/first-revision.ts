import type { Logger } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import type { LastGood } from '../store/index.ts';
import type { DocumentSources } from './document-sources.ts';
import type { OfferedBundle } from './offered-bundle.ts';
import type { Publisher } from './publisher.ts';

export interface FirstRevisionDeps {
  readonly publisher: Publisher<OfferedBundle>;
  readonly sources: DocumentSources;
  readonly lastGood: LastGood;
  readonly log: Logger;
}

export type FirstRevision =
  | { readonly revision: string; readonly source: 'document' }
  /** `savedAtMs`: when it was last taken into service, in milliseconds since the epoch. */
  | { readonly revision: string; readonly source: 'last-good'; readonly savedAtMs: number };

/**
 * Brings the document on disk into service; when it cannot be served, the last good revision, loudly. Throws
 * ConfigError with the document's issues when there is neither.
 */
export async function publishFirst(deps: FirstRevisionDeps): Promise<FirstRevision> {
  const { publisher, sources, log } = deps;
  const ask = { origin: 'start', actor: 'system' } as const;
  const result = await publisher.publish({ ...ask, load: () => sources.fromDisk() });
  if (result.outcome !== 'refused') return { revision: result.revision ?? '', source: 'document' };
  const kept = keptRevision(deps);
  if (kept === undefined) throw new ConfigError(result.issues);
  const second = await publisher.publish({ ...ask, load: () => sources.fromLastGood(kept) });
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

function keptRevision({ lastGood, log }: FirstRevisionDeps) {
  try {
    return lastGood.load();
  } catch (error) {
    log.error('last-good-unusable', { error });
    return undefined;
  }
}
