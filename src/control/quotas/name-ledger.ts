import type { Clock, Logger } from '../../contract/index.ts';
import type { QuotaNote } from '../../state/index.ts';
import type { QuotaUsageEntry } from '../../store/index.ts';
import { entryOf } from './quota-entry.ts';
import type { QuotaLedger } from './quota-ledger.ts';

export interface NameLedgerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** How many callers are known by name. Default 131,072: as many quotas as a node that counts alone has places for. */
  readonly maxNames?: number;
}

/** What is written down of a caller, as far as it matters whether that is to be written again. */
interface Written {
  readonly name: string;
  readonly limit: number;
  readonly startMs: number;
  readonly keptUntilMs: number;
  readonly unproven: boolean;
  /** What this node counted by itself before: for when it does so again. */
  readonly isUsage: boolean;
}

const MAX_NAMES = 131_072;
/** How often, at most, it is looked for those whose window has ended. */
const SWEEP_MS = 60_000;

/**
 * Names alone, where several nodes count in a store that knows none: those of callers that came to this node, by which
 * what they used can be asked for. They are bounded, and strangers have no more than half of it: no flood of addresses
 * fills the disk, or keeps out who is proved.
 */
export class NameLedger implements QuotaLedger {
  readonly fault = 'quotas-not-listed';
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #max: number;
  readonly #written = new Map<string, Written>();
  /** Those that are on their way to the disk. */
  readonly #promised = new Set<string>();
  #strangers = 0;
  #sweepAtMs = 0;

  constructor({ clock, log, maxNames = MAX_NAMES }: NameLedgerDeps) {
    this.#clock = clock;
    this.#log = log;
    this.#max = maxNames;
  }

  /** What counts is the store's. */
  restore(entries: readonly QuotaUsageEntry[]): { restored: number; lost: number } {
    this.wrote(entries);
    return { restored: 0, lost: 0 };
  }

  entryOf(note: QuotaNote): QuotaUsageEntry | undefined {
    const { rule } = note;
    const unused = { startMs: rule.startMs, used: 0, carried: 0 };
    const entry = entryOf({ ...note, rule: { ...rule, carryOver: 0 } }, unused);
    if (entry === undefined) return undefined;
    const known = this.#written.get(entry.id);
    if (known === undefined) return this.#promise(entry) ? entry : undefined;
    if (known.startMs !== rule.startMs) return entry;
    const isSame = known.limit === entry.limit && known.name === entry.name;
    return isSame || known.isUsage ? undefined : entry;
  }

  wrote(entries: readonly QuotaUsageEntry[]): void {
    for (const { id, name, limit, startMs, keptUntilMs, unproven, used, carried } of entries) {
      if (unproven && !this.#written.has(id) && !this.#promised.has(id)) this.#strangers++;
      this.#promised.delete(id);
      const isUsage = used > 0 || carried > 0;
      this.#written.set(id, { name, limit, startMs, keptUntilMs, unproven, isUsage });
    }
  }

  /** Whether there is a place for it, which is taken from now on. */
  #promise({ id, unproven }: QuotaUsageEntry): boolean {
    if (this.#promised.has(id)) return true;
    if (!this.#hasPlace(unproven)) return false;
    this.#promised.add(id);
    if (unproven) this.#strangers++;
    return true;
  }

  #hasPlace(unproven: boolean): boolean {
    const isFull = (): boolean =>
      this.#written.size + this.#promised.size >= this.#max || (unproven && this.#strangers >= this.#max / 2);
    if (!isFull()) return true;
    const nowMs = this.#clock.now();
    if (nowMs < this.#sweepAtMs) return false;
    this.#sweepAtMs = nowMs + SWEEP_MS;
    for (const [id, { keptUntilMs, unproven: isStranger }] of this.#written) {
      if (keptUntilMs > nowMs) continue;
      this.#written.delete(id);
      if (isStranger) this.#strangers--;
    }
    if (isFull())
      this.#log.warn('quotas-not-listed', { names: this.#written.size, reason: 'too many callers' });
    return !isFull();
  }
}
