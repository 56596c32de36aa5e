import type { Clock, Gauge, Logger } from '../../contract/index.ts';
import type { QuotaNote } from '../../state/index.ts';
import type { Store } from '../../store/index.ts';
import { nameOf } from './quota-entry.ts';
import type { QuotaLedger } from './quota-ledger.ts';

export interface QuotaKeeperDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  readonly ledger: QuotaLedger;
  /** Which quotas workers charged since this was last asked. */
  readonly collectQuotas: () => Promise<readonly QuotaNote[]>;
  /** `sallyport_quotas_not_kept`. */
  readonly notKept: Gauge;
}

/** So many are written in one transaction: a few ten milliseconds, of which the disk takes a third. */
const BATCH = 5000;
/** How often the store is looked through for windows that mean nothing any more. */
const FORGET_MS = 60_000;
/** More than a table of quotas holds are none. */
const MAX_WAITING = 262_144;

/**
 * Keeps what is known of quotas beyond the process: restores it before the first request, and now and then writes down
 * what has changed. Workers count by hashes, and tell the names.
 */
export class QuotaKeeper {
  readonly #deps: QuotaKeeperDeps;
  /** Charged, and not in the store as they stand; by scope and key. */
  readonly #waiting = new Map<string, QuotaNote>();
  #underWay: Promise<void> | undefined;
  #isTold = false;
  /** Nothing is written down before what was is known: it would be taken for less. */
  #isRestored = false;
  #forgetAtMs = 0;

  constructor(deps: QuotaKeeperDeps) {
    this.#deps = deps;
  }

  /** Brings back what was used before. To be done before the first request; never rejects: it is tried again later. */
  async restore(): Promise<void> {
    try {
      await this.#restore();
    } catch (error) {
      this.#deps.log.error('quotas-not-restored', { error });
    }
  }

  async #restore(): Promise<void> {
    const { clock, log, store, ledger } = this.#deps;
    const startedMs = clock.monotonic();
    const nowMs = clock.now();
    const kept = await store()?.quotas.kept(nowMs);
    if (kept === undefined) return;
    const { restored, lost } = ledger.restore(kept, nowMs);
    this.#isRestored = true;
    if (lost > 0) log.error('quotas-not-restored', { restored, lost, reason: 'the table of quotas is full' });
    if (restored === 0) return;
    log.info('quotas-restored', { quotas: restored, durationMs: Math.round(clock.monotonic() - startedMs) });
  }

  /** Brings the store up to date. Never rejects: a store that fails is told of once, and tried again the next time. */
  collect(): Promise<void> {
    this.#underWay ??= this.#collect().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  /** As `collect`, with all that was charged up to now. */
  async refresh(): Promise<void> {
    await this.#underWay;
    await this.collect();
  }

  async #collect(): Promise<void> {
    const { collectQuotas, notKept } = this.#deps;
    try {
      for (const note of await collectQuotas()) this.#note(note);
      if (await this.#keep()) this.#isTold = false;
      await this.#forget();
    } catch (error) {
      this.#tell({ error });
    }
    notKept.set(this.#waiting.size);
  }

  #note(note: QuotaNote): void {
    const name = nameOf(note.scope, note.key);
    const known = this.#waiting.get(name);
    if (known === undefined && this.#waiting.size >= MAX_WAITING) return;
    // Of two workers one may still have been in the window before.
    if (known === undefined || known.rule.startMs <= note.rule.startMs) this.#waiting.set(name, note);
  }

  /** False: there is nothing to keep it in. */
  async #keep(): Promise<boolean> {
    if (this.#waiting.size === 0) return true;
    const { ledger } = this.#deps;
    const store = this.#deps.store();
    if (store === undefined) {
      this.#tell({ reason: 'there is no usable store' });
      return false;
    }
    if (!this.#isRestored) await this.#restore();
    const all = [...this.#waiting];
    for (let from = 0; from < all.length; from += BATCH) {
      const batch = all.slice(from, from + BATCH);
      const entries = batch.flatMap(([, note]) => ledger.entryOf(note) ?? []);
      await store.quotas.put(entries);
      ledger.wrote(entries);
      for (const [name, note] of batch) if (this.#waiting.get(name) === note) this.#waiting.delete(name);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  }

  async #forget(): Promise<void> {
    const { clock, store } = this.#deps;
    const nowMs = clock.now();
    if (nowMs < this.#forgetAtMs) return;
    const forgotten = (await store()?.quotas.forget(nowMs, BATCH)) ?? 0;
    // There may be more: the next time at once.
    if (forgotten < BATCH) this.#forgetAtMs = nowMs + FORGET_MS;
  }

  #tell(fields: Readonly<Record<string, unknown>>): void {
    if (!this.#isTold)
      this.#deps.log.error(this.#deps.ledger.fault, { quotas: this.#waiting.size, ...fields });
    this.#isTold = true;
  }
}
