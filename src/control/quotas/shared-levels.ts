import type { NamedQuota, QuotaRelief, QuotaUsage, SharedQuotas } from '../../state/index.ts';
import type { QuotaUsageEntry } from '../../store/index.ts';
import { ProblemError } from '../admin/problem.ts';
import { type QuotaLevels, tooMuch } from './quota-levels.ts';

/** Quotas that several nodes count in a store: what is written down here are names. */
export class SharedLevels implements QuotaLevels {
  readonly #open: () => Promise<SharedQuotas>;
  #quotas: Promise<SharedQuotas> | undefined;

  /** `open` connects to the store: who never looks at usage has no connection for it. */
  constructor(open: () => Promise<SharedQuotas>) {
    this.#open = open;
  }

  async read(entries: readonly QuotaUsageEntry[]): Promise<readonly (QuotaUsageEntry | undefined)[]> {
    if (entries.length === 0) return [];
    const found = await (await this.#opened()).read(entries.map(named));
    if (found === 'lost') {
      throw new ProblemError('store-unavailable', 'The shared store of counters does not answer.');
    }
    return entries.map((entry, i) => asItStands(entry, found[i]));
  }

  async change(entry: QuotaUsageEntry, relief: QuotaRelief): Promise<QuotaUsageEntry | undefined> {
    const changed = await (await this.#opened()).change(named(entry), relief);
    if (changed === 'too-much') throw tooMuch();
    if (changed === 'unknown') return undefined;
    if (changed !== 'lost') return asItStands(entry, changed);
    throw new ProblemError(
      'store-unavailable',
      'The shared store of counters did not answer in time: look at the usage before you ask again.',
    );
  }

  async close(): Promise<void> {
    (await this.#quotas)?.close();
  }

  /** One connection, however many ask. */
  #opened(): Promise<SharedQuotas> {
    this.#quotas ??= this.#open();
    return this.#quotas;
  }
}

const named = ({ scope, key, startMs, endMs }: QuotaUsageEntry): NamedQuota => ({
  scope,
  key,
  lengthMs: endMs - startMs,
});

/** The window may be another than when it was last seen here. */
const asItStands = (entry: QuotaUsageEntry, usage: QuotaUsage | undefined): QuotaUsageEntry | undefined =>
  usage === undefined
    ? undefined
    : { ...entry, ...usage, endMs: entry.endMs + usage.startMs - entry.startMs };
