import type { Clock } from '../contract/index.ts';
import { type AuditEntry, type DiskMark, type LastGood, type Store, StoreError } from '../store/index.ts';
import { isFromDisk, type PublishRequest, type PublishResult } from './publisher.ts';

/** The parts of a bundle that are kept. Secrets are not among them. */
export interface KeptBundle {
  readonly revision: string;
  readonly text: string;
  readonly files: Readonly<Record<string, string>>;
  /** Names what is written in the document. */
  readonly documentHash: string;
}

export interface RevisionRecordDeps {
  readonly clock: Clock;
  readonly lastGood: Pick<LastGood, 'save'>;
  readonly diskMark: Pick<DiskMark, 'save'>;
  /** Undefined while there is no usable store. */
  readonly store: () => Promise<Store | undefined>;
}

/** Keeps what became of an offer: the last good revision for the next start, the revision itself, the audit. */
export class RevisionRecord<B extends KeptBundle> {
  readonly #deps: RevisionRecordDeps;
  /** The latest activation, while the store does not have it. */
  #missed: { request: PublishRequest<B>; bundle: B; result: PublishResult; at: number } | undefined;

  constructor(deps: RevisionRecordDeps) {
    this.#deps = deps;
  }

  /** Rejects with StoreError; what is served does not depend on it. */
  async keep(request: PublishRequest<B>, bundle: B | undefined, result: PublishResult): Promise<void> {
    const { outcome } = result;
    if (outcome === 'unchanged' || outcome === 'rollout') return this.#mark(request, bundle);
    const { clock, lastGood } = this.#deps;
    const at = clock.now();
    const isActivated = outcome === 'activated' && bundle !== undefined;
    // First, and without the store: a node must be able to start without one.
    if (isActivated) {
      const { revision, text, files } = bundle;
      lastGood.save({ revision, document: text, files, savedAt: at });
    }
    if (request.isFollowed === true) return;
    if (isActivated) this.#missed = { request, bundle, result, at };
    const store = await this.#deps.store();
    if (store !== undefined) {
      if (isActivated)
        await putActive(store, request, bundle, at).catch((error: unknown) => this.#giveUp(error));
      await store.appendAudit(entryOf(request, result, at));
      if (isActivated) this.#missed = undefined;
    }
    // Last: after a crash before it the document on disk is taken again, and nothing of it is lost.
    if (isActivated) this.#mark(request, bundle);
  }

  /** What another node has decided otherwise meanwhile is not brought to the store later. */
  #giveUp(error: unknown): never {
    if (error instanceof StoreError && error.code === 'conflict') this.#missed = undefined;
    throw error;
  }

  /** Whether the latest activation is in effect, and not in the store. */
  get isBehind(): boolean {
    return this.#missed !== undefined;
  }

  /** Brings to the store the latest activation that it could not take. Rejects with StoreError. */
  async catchUp(): Promise<void> {
    const missed = this.#missed;
    const store = await this.#deps.store();
    if (missed === undefined || store === undefined) return;
    const { request, bundle, result, at } = missed;
    // What was activated elsewhere since then stays.
    const active = await store.active();
    if (active === undefined || active.at <= at) await putActive(store, request, bundle, at);
    await store.appendAudit(entryOf(request, result, at));
    if (this.#missed === missed) this.#missed = undefined;
    this.#mark(request, bundle);
  }

  /** From now on a start leaves this document on disk alone, unless it is what is active. */
  #mark({ origin }: PublishRequest<B>, bundle: B | undefined): void {
    if (bundle === undefined || !isFromDisk(origin)) return;
    this.#deps.diskMark.save({ document: bundle.documentHash, revision: bundle.revision });
  }
}

async function putActive<B extends KeptBundle>(
  store: Store,
  { actor, reason = '', origin, fence }: PublishRequest<B>,
  { revision, text, files }: B,
  at: number,
): Promise<void> {
  await store.putRevision({ id: revision, document: text, files, createdAt: at, author: actor, reason });
  // A start changes nothing: only what was active before tells what can be gone back to.
  if ((await store.active())?.id === revision) return;
  await store.setActive(revision, at, origin === 'rollback' ? 'rollback' : 'publish', fence);
}

const entryOf = <B>(request: PublishRequest<B>, result: PublishResult, at: number): AuditEntry => ({
  at,
  actor: request.actor,
  action: result.outcome === 'activated' ? 'revision.activate' : 'revision.refuse',
  subject: result.revision ?? '',
  detail: detailOf(request, result),
});

function detailOf<B>({ origin, reason = '' }: PublishRequest<B>, result: PublishResult) {
  if (result.outcome !== 'refused') return { origin, reason };
  const first = result.issues[0];
  const cause = first === undefined ? '' : `${first.path}: ${first.message}`;
  return { origin, reason, cause, issues: result.issues.length };
}
