import type { StoreState } from '../store/index.ts';
import type { Readiness } from './admin/index.ts';
import type { FirstRevision } from './first-revision.ts';
import type { Publisher } from './publisher.ts';

export interface ReadinessFacts {
  /** Whether any worker serves. */
  readonly isServing: boolean;
  readonly isEnding: boolean;
  readonly revision: string | undefined;
  readonly publisher: Pick<Publisher<never>, 'refusal' | 'takenFrom'>;
  readonly first: FirstRevision | undefined;
  readonly sharedState: 'up' | 'lost' | undefined;
  readonly storeState: StoreState;
}

const STORE_CAVEATS = {
  unavailable: 'the store does not answer: nothing can be changed, and what is served stays as it is',
  damaged: 'the store is damaged',
} as const;

/** Whether this node serves, and what to know of it. */
export function readinessOf(facts: ReadinessFacts): Readiness {
  const { isServing, isEnding, revision, publisher, first } = facts;
  const isFirst = publisher.takenFrom === 'start' || publisher.takenFrom === 'store';
  return {
    ready: isServing && revision !== undefined && !isEnding,
    reason: isEnding ? 'ending' : isServing ? caveat(facts) : 'no worker serves',
    revision,
    source: isFirst ? first?.source : 'document',
  };
}

/** Also then it is ready: what counts meanwhile is said by the document. */
function caveat({ publisher, sharedState, storeState }: ReadinessFacts): string | undefined {
  if (publisher.refusal !== undefined) return 'the latest document was refused';
  if (storeState !== 'ok') return STORE_CAVEATS[storeState];
  return sharedState === 'lost' ? 'the shared store of counters does not answer' : undefined;
}
