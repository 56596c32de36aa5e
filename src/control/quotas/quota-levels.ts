import type { Awaitable, Clock } from '../../contract/index.ts';
import { type QuotaRelief, relieve, type SharedCounters } from '../../state/index.ts';
import type { QuotaUsageEntry, Store } from '../../store/index.ts';
import { ProblemError } from '../admin/problem.ts';

/** What quotas that are known by name stand at, where they are counted. */
export interface QuotaLevels {
  /** Each as it stands; undefined where nothing is used of it in a window that has not ended. @throws ProblemError */
  read(entries: readonly QuotaUsageEntry[]): Awaitable<readonly (QuotaUsageEntry | undefined)[]>;
  /**
   * Changes it in one step, in force wherever it is counted; undefined as above.
   * @throws ProblemError `conflict` where that would be too much, StoreError
   */
  change(entry: QuotaUsageEntry, relief: QuotaRelief, store: Store): Awaitable<QuotaUsageEntry | undefined>;
  close(): Awaitable<void>;
}

/** Quotas that this node alone counts. */
export class TableLevels implements QuotaLevels {
  readonly #table: Pick<SharedCounters, 'changeQuota'>;
  readonly #clock: Clock;

  constructor(table: Pick<SharedCounters, 'changeQuota'>, clock: Clock) {
    this.#table = table;
    this.#clock = clock;
  }

  /** They were written down as they stand. */
  read(entries: readonly QuotaUsageEntry[]): readonly (QuotaUsageEntry | undefined)[] {
    const nowMs = this.#clock.now();
    return entries.map((entry) => (entry.endMs > nowMs ? entry : undefined));
  }

  async change(entry: QuotaUsageEntry, relief: QuotaRelief, store: Store): Promise<QuotaUsageEntry> {
    const change = (usage: Pick<QuotaUsageEntry, 'used' | 'carried'>) => {
      const changed = relieve(usage, relief);
      if (changed === undefined) throw tooMuch();
      return changed;
    };
    const now = this.#table.changeQuota(entry.scope, entry.key, change);
    // Forgotten by the table since: then what is in the store alone is changed.
    const changed = { ...entry, ...(now ?? change(entry)) };
    await store.quotas.put([changed]);
    return changed;
  }

  close(): void {}
}

export const tooMuch = (): ProblemError => new ProblemError('conflict', 'So much cannot be granted.');
