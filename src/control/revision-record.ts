import type { Clock } from '../contract/index.ts';
import type { LastGood, Store } from '../store/index.ts';
import type { PublishRequest, PublishResult } from './publisher.ts';

/** The parts of a bundle that are kept. Secrets are not among them. */
export interface KeptBundle {
  readonly revision: string;
  readonly text: string;
  readonly files: Readonly<Record<string, string>>;
}

export interface RevisionRecordDeps {
  readonly clock: Clock;
  readonly lastGood: LastGood;
  /** Undefined while there is no usable store. */
  readonly store: () => Promise<Store | undefined>;
}

/** Keeps what became of an offer: the last good revision for the next start, the revision itself, the audit. */
export class RevisionRecord<B extends KeptBundle> {
  readonly #deps: RevisionRecordDeps;

  constructor(deps: RevisionRecordDeps) {
    this.#deps = deps;
  }

  /** Rejects with StoreError; what is served does not depend on it. */
  async keep(request: PublishRequest<B>, bundle: B | undefined, result: PublishResult): Promise<void> {
    if (result.outcome === 'unchanged') return;
    const { clock, lastGood } = this.#deps;
    const at = clock.now();
    const isActivated = result.outcome === 'activated' && bundle !== undefined;
    // First, and without the store: a node must be able to start without one.
    if (isActivated) {
      const { revision, text, files } = bundle;
      lastGood.save({ revision, document: text, files, savedAt: at });
    }
    const store = await this.#deps.store();
    if (store === undefined) return;
    if (isActivated) await putActive(store, request, bundle, at);
    await store.appendAudit({
      at,
      actor: request.actor,
      action: isActivated ? 'revision.activate' : 'revision.refuse',
      subject: result.revision ?? '',
      detail: detailOf(request, result),
    });
  }
}

async function putActive<B extends KeptBundle>(
  store: Store,
  { actor, reason = '' }: PublishRequest<B>,
  { revision, text, files }: B,
  at: number,
): Promise<void> {
  await store.putRevision({ id: revision, document: text, files, createdAt: at, author: actor, reason });
  await store.setActive(revision, at);
}

function detailOf<B>({ origin, reason = '' }: PublishRequest<B>, result: PublishResult) {
  if (result.outcome !== 'refused') return { origin, reason };
  const first = result.issues[0];
  const cause = first === undefined ? '' : `${first.path}: ${first.message}`;
  return { origin, reason, cause, issues: result.issues.length };
}
