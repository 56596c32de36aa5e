import type { Clock, Logger } from '../../contract/index.ts';
import { type Store, StoreError } from '../../store/index.ts';

/** So many revisions and rollouts are kept in any case, */
const KEEP = 1000;
/** and beyond that, revisions that were active in the last 90 days. */
const ACTIVE_MS = 90 * 86_400_000;

export interface PruneDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: () => Store | undefined;
}

/** Forgets old revisions and rollouts. What the audit says of them stays. Never rejects for a store that fails. */
export async function pruneStore({ clock, log, store }: PruneDeps): Promise<void> {
  try {
    const revisions = (await store()?.pruneRevisions(KEEP, clock.now() - ACTIVE_MS)) ?? 0;
    const rollouts = (await store()?.rollouts.prune(KEEP)) ?? 0;
    if (revisions + rollouts > 0) log.info('store-pruned', { revisions, rollouts });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    log.warn('store-not-pruned', { error });
  }
}
