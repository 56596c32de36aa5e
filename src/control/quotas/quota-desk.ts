import type { Clock, Logger } from '../../contract/index.ts';
import { keyDigest } from '../../lib/key-digest.ts';
import { type QuotaRelief, relieve } from '../../state/index.ts';
import {
  type AuditEntry,
  type QuotaUsageEntry,
  type QuotaUsageQuery,
  type Store,
  StoreError,
} from '../../store/index.ts';
import { ProblemError } from '../admin/problem.ts';
import type { QuotaKeeper } from './quota-keeper.ts';
import { type QuotaLevels, tooMuch } from './quota-levels.ts';

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

export interface QuotaDeskDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  readonly keeper: Pick<QuotaKeeper, 'refresh'>;
  readonly levels: QuotaLevels;
  /** Whether several nodes count together. */
  readonly isShared: boolean;
}

/**
 * Usage as people look at it, and change it: in force in every worker at once, since all count in one place. What gives a
 * caller more is in the audit before it is done.
 */
export class QuotaDesk {
  /** Whether usage is that of several nodes, of which this one knows the callers that came to it. */
  readonly isShared: boolean;
  readonly #deps: QuotaDeskDeps;

  constructor(deps: QuotaDeskDeps) {
    this.isShared = deps.isShared;
    this.#deps = deps;
  }

  /** What is used of windows that have not ended. @throws ProblemError, StoreError */
  async list({ key, after, limit, ...rest }: QuotaListQuery): Promise<readonly QuotaUsageEntry[]> {
    const store = await this.#upToDate();
    const keys = key === undefined ? undefined : [key, keyDigest(key)];
    const query = { ...rest, keys, limit, nowMs: this.#deps.clock.now() };
    try {
      return await this.#listFrom(store, after === '' ? query : { ...query, after });
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
    return this.#change(id, actor, 'quota.reset', { kind: 'reset' }, { reason });
  }

  /** Adds `amount` to the limit until the window ends. @throws ProblemError, StoreError */
  grant(id: string, amount: number, reason: string, actor: string): Promise<QuotaUsageEntry> {
    return this.#change(id, actor, 'quota.grant', { kind: 'grant', amount }, { amount, reason });
  }

  async close(): Promise<void> {
    await this.#deps.levels.close();
  }

  /** Of those that are known by name some may have used nothing since: further ones are looked for until the page is full. */
  async #listFrom(store: Store, query: QuotaUsageQuery): Promise<readonly QuotaUsageEntry[]> {
    const page: QuotaUsageEntry[] = [];
    let after = query.after;
    for (;;) {
      const known = await store.quotas.list(after === undefined ? query : { ...query, after });
      for (const entry of await this.#deps.levels.read(known)) if (entry !== undefined) page.push(entry);
      after = known.at(-1)?.id;
      if (page.length >= query.limit || known.length < query.limit) return page.slice(0, query.limit);
    }
  }

  async #change(
    id: string,
    actor: string,
    action: string,
    relief: QuotaRelief,
    more: AuditEntry['detail'],
  ): Promise<QuotaUsageEntry> {
    const store = await this.#upToDate();
    const entry = await this.#find(store, id);
    const { attachment, name: quota, by, key, used } = entry;
    if (relieve(entry, relief) === undefined) throw tooMuch();
    const detail = { attachment, quota, by, key, used, ...more };
    await store.appendAudit({ at: this.#deps.clock.now(), actor, action, subject: id, detail });
    const changed = await this.#deps.levels.change(entry, relief, store);
    if (changed === undefined) throw nothingUsed();
    this.#deps.log.warn('quota-changed', { action, id, attachment, quota, by: actor });
    return changed;
  }

  async #find(store: Store, id: string): Promise<QuotaUsageEntry> {
    const known = await store.quotas.get(id);
    const [entry] = known === undefined ? [] : await this.#deps.levels.read([known]);
    if (entry !== undefined) return entry;
    throw nothingUsed();
  }

  async #upToDate(): Promise<Store> {
    const usable = this.#deps.store();
    if (usable === undefined)
      throw new ProblemError('store-unavailable', 'There is no usable store; traffic is served on.');
    await this.#deps.keeper.refresh();
    return usable;
  }
}

const nothingUsed = (): ProblemError => new ProblemError('not-found', 'Nothing is used of such a quota.');
