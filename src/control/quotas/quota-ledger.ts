import type { QuotaNote, SharedCounters } from '../../state/index.ts';
import type { QuotaUsageEntry } from '../../store/index.ts';
import { entryOf } from './quota-entry.ts';

/** What of quotas is written down, and what of it is brought back at the start. */
export interface QuotaLedger {
  /** Logged where something cannot be written down. */
  readonly fault: 'quotas-not-kept' | 'quotas-not-listed';
  /** Takes what was written down before; how many of these count again, and how many find no place. */
  restore(entries: readonly QuotaUsageEntry[], nowMs: number): { restored: number; lost: number };
  /** What is to be written down of a quota that was charged; undefined for nothing. */
  entryOf(note: QuotaNote): QuotaUsageEntry | undefined;
  /** These are written down. */
  wrote(entries: readonly QuotaUsageEntry[]): void;
}

/** Usage itself, where this node alone counts: in memory that ends with the process. */
export class UsageLedger implements QuotaLedger {
  readonly fault = 'quotas-not-kept';
  readonly #table: Pick<SharedCounters, 'changeQuota' | 'readQuota' | 'restoreQuota'>;

  constructor(table: Pick<SharedCounters, 'changeQuota' | 'readQuota' | 'restoreQuota'>) {
    this.#table = table;
  }

  restore(entries: readonly QuotaUsageEntry[], nowMs: number): { restored: number; lost: number } {
    const used = entries.filter(meansSomething);
    const restored = used.filter((entry) => this.#restore(entry, nowMs)).length;
    return { restored, lost: used.length - restored };
  }

  /** What was charged before this could be read counts as well. */
  #restore({ scope, key, ...usage }: QuotaUsageEntry, nowMs: number): boolean {
    const charged = this.#table.changeQuota(scope, key, ({ startMs, used, carried }) => {
      if (startMs !== usage.startMs) return { used, carried };
      return { used: used + usage.used, carried: Math.max(carried, usage.carried) };
    });
    // A later window is another; what an earlier one left behind is replaced.
    if (charged !== undefined && charged.startMs >= usage.startMs) return true;
    return this.#table.restoreQuota(scope, key, usage, nowMs);
  }

  /** As it stands in the table; undefined where nothing is known of it. */
  entryOf(note: QuotaNote): QuotaUsageEntry | undefined {
    const usage = this.#table.readQuota(note.scope, note.key);
    return usage === undefined ? undefined : entryOf(note, usage);
  }

  wrote(): void {}
}

/** What is as one never charged takes up no place: a name that was noted while another store counted. */
const meansSomething = ({ used, carried, carryOver }: QuotaUsageEntry): boolean =>
  used > 0 || carried > 0 || carryOver > 0;
