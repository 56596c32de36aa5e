import { keyDigest } from '../../lib/key-digest.ts';
import { type AuditEntry, type QuotaUsageEntry, type Store, StoreError } from '../../store/index.ts';
import { ProblemError } from '../admin/problem.ts';
import type { QuotaKeeper, QuotaKeeperDeps } from './quota-keeper.ts';

export interface QuotaListQuery {
  readonly attachment?: string | undefined;
  /** What the keys are. */
  readonly by?: string | undefined;
  /** As it is shown, or the value that is shown as a digest. */
  readonly key?: string | undefined;
  readonly limit: number;
  /** Id of the last entry of the page before; '' for the first page. */
  readonly after: string;
}

export interface QuotaDeskDeps extends QuotaKeeperDeps {
  /** Whether another store counts for several nodes: usage is there, and nothing here tells of it. */
  readonly isShared: boolean;
}

/** More would not be counted exactly. */
const MAX_EXTRA = 2 ** 52;

const COUNTED_ELSEWHERE =
  'Quotas are counted in the shared store (--state): usage there is neither listed nor changed here. ' +
  'What a caller has left is in the RateLimit field of its answers. ' +
  'To give all callers more, raise the limit of the quota: what was used stays counted.';

/**
 * Usage as people look at it, and change it: in force in every worker at once, since all count in one memory. What
 * gives a caller more is in the audit before it is done.
 */
export class QuotaDesk {
  readonly #deps: QuotaDeskDeps;
  readonly #keeper: Pick<QuotaKeeper, 'refresh'>;

  constructor(deps: QuotaDeskDeps, keeper: Pick<QuotaKeeper, 'refresh'>) {
    this.#deps = deps;
    this.#keeper = keeper;
  }

  /** What is used of windows that have not ended. @throws ProblemError, StoreError */
  async list({ key, after, limit, ...rest }: QuotaListQuery): Promise<readonly QuotaUsageEntry[]> {
    const store = await this.#upToDate();
    const keys = key === undefined ? undefined : [key, keyDigest(key)];
    const query = { ...rest, keys, limit, nowMs: this.#deps.clock.now() };
    try {
      return await store.quotas.list(after === '' ? query : { ...query, after });
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'not-found') throw error;
      throw new ProblemError('invalid-request', 'after is no entry, or one that was forgotten.');
    }
  }

  /** @throws ProblemError `not-found` also where its window has ended */
  async get(id: string): Promise<QuotaUsageEntry> {
    return await this.#find(await this.#upToDate(), id);
  }

  /** Gives back all that was used in the window. @throws ProblemError, StoreError */
  reset(id: string, reason: string, actor: string): Promise<QuotaUsageEntry> {
    return this.#change(id, actor, 'quota.reset', { reason }, ({ carried }) => ({ used: 0, carried }));
  }

  /** Adds `amount` to the limit until the window ends. @throws ProblemError, StoreError */
  grant(id: string, amount: number, reason: string, actor: string): Promise<QuotaUsageEntry> {
    return this.#change(id, actor, 'quota.grant', { amount, reason }, ({ used, carried }) => {
      if (carried + amount > MAX_EXTRA) throw new ProblemError('conflict', 'So much cannot be granted.');
      return { used, carried: carried + amount };
    });
  }

  async #change(
    id: string,
    actor: string,
    action: string,
    more: AuditEntry['detail'],
    change: (usage: Pick<QuotaUsageEntry, 'used' | 'carried'>) => { used: number; carried: number },
  ): Promise<QuotaUsageEntry> {
    const store = await this.#upToDate();
    const entry = await this.#find(store, id);
    const { attachment, name: quota, by, key, used } = entry;
    change(entry);
    const detail = { attachment, quota, by, key, used, ...more };
    await store.appendAudit({ at: this.#deps.clock.now(), actor, action, subject: id, detail });
    const now = this.#deps.table.changeQuota(entry.scope, key, change);
    // Forgotten by the table since: then what is in the store alone is changed.
    const changed = { ...entry, ...(now ?? change(entry)) };
    await store.quotas.put([changed]);
    this.#deps.log.warn('quota-changed', { action, id, attachment, quota, by: actor });
    return changed;
  }

  async #find(store: Store, id: string): Promise<QuotaUsageEntry> {
    const entry = await store.quotas.get(id);
    if (entry !== undefined && entry.endMs > this.#deps.clock.now()) return entry;
    throw new ProblemError('not-found', 'Nothing is used of such a quota.');
  }

  async #upToDate(): Promise<Store> {
    const { isShared, store } = this.#deps;
    if (isShared) {
      throw new ProblemError('conflict', COUNTED_ELSEWHERE);
    }
    const usable = store();
    if (usable === undefined)
      throw new ProblemError('store-unavailable', 'There is no usable store; traffic is served on.');
    await this.#keeper.refresh();
    return usable;
  }
}
