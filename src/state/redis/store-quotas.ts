import { MAX_EXTRA, type QuotaRelief } from '../counters/quota-relief.ts';
import type { QuotaUsage } from '../counters/quota-store.ts';
import { numbersOf } from './charge-words.ts';
import type { ScriptStore, StoreWord } from './script-store.ts';
import { CHANGE_QUOTA, NUMBERS_OF_A_QUOTA, READ_QUOTAS } from './scripts.ts';
import { type StoreNames, tagOf } from './store-names.ts';

/** A quota as its charges name it. */
export interface NamedQuota {
  readonly scope: string;
  readonly key: string;
  /** How long its window is, in milliseconds. */
  readonly lengthMs: number;
}

/** What all nodes together have used of quotas that are counted in a store, for those who look after them. */
export interface SharedQuotas {
  /**
   * What each stands at, by the clock of the store; undefined where nothing is known of it, or its window has ended.
   * `lost`: the store did not answer.
   */
  read(quotas: readonly NamedQuota[]): Promise<readonly (QuotaUsage | undefined)[] | 'lost'>;
  /**
   * Changes one in one step, so that no charge meanwhile is lost. `unknown`: as `undefined` above. `lost`: the store did
   * not answer in time, and may have changed it all the same.
   */
  change(quota: NamedQuota, relief: QuotaRelief): Promise<QuotaUsage | 'unknown' | 'too-much' | 'lost'>;
  /** Closes the connection. */
  close(): void;
}

/** So many are read in one step: a store does nothing else meanwhile. */
const BATCH = 100;
/** The store's own clock. */
const STORE_TIME = '';

export class StoreQuotas implements Omit<SharedQuotas, 'close'> {
  readonly #store: ScriptStore;
  readonly #names: StoreNames;
  readonly #time: () => StoreWord;

  /** `time` is for tests that say what time it is. */
  constructor(store: ScriptStore, names: StoreNames, time: (() => number) | undefined) {
    this.#store = store;
    this.#names = names;
    this.#time = time ?? (() => STORE_TIME);
  }

  async read(quotas: readonly NamedQuota[]): Promise<readonly (QuotaUsage | undefined)[] | 'lost'> {
    const found: (QuotaUsage | undefined)[] = new Array(quotas.length);
    const isEach = await Promise.all(this.#batches(quotas).map((batch) => this.#readBatch(batch, found)));
    return isEach.every(Boolean) ? found : 'lost';
  }

  async change(
    quota: NamedQuota,
    relief: QuotaRelief,
  ): Promise<QuotaUsage | 'unknown' | 'too-much' | 'lost'> {
    const isReset = relief.kind === 'reset';
    const words = [this.#time(), quota.lengthMs, isReset ? 1 : 0, isReset ? 0 : relief.amount, MAX_EXTRA];
    const answer = await this.#store.ask(CHANGE_QUOTA, [this.#nameOf(quota)], words);
    const numbers = numbersOf(answer, 1 + NUMBERS_OF_A_QUOTA);
    if (numbers === undefined) return 'lost';
    if (numbers[0] === 1) return usageAt(numbers, 1) ?? 'unknown';
    return numbers[0] === 0 ? 'unknown' : 'too-much';
  }

  async #readBatch(batch: readonly Placed[], found: (QuotaUsage | undefined)[]): Promise<boolean> {
    const names = batch.map(({ name }) => name);
    const words = [this.#time(), ...batch.map(({ lengthMs }) => lengthMs)];
    const answer = await this.#store.ask(READ_QUOTAS, names, words);
    const numbers = numbersOf(answer, batch.length * NUMBERS_OF_A_QUOTA);
    if (numbers === undefined) return false;
    for (const [i, { at }] of batch.entries()) found[at] = usageAt(numbers, i * NUMBERS_OF_A_QUOTA);
    return true;
  }

  /** On a cluster those of one slot together. */
  #batches(quotas: readonly NamedQuota[]): Placed[][] {
    const placed = quotas.map((quota, at) => ({
      at,
      name: this.#nameOf(quota),
      lengthMs: quota.lengthMs,
    }));
    const bySlot = Map.groupBy(placed, ({ name }) => (this.#store.isCluster ? tagOf(name) : ''));
    return [...bySlot.values()].flatMap((all) =>
      Array.from({ length: Math.ceil(all.length / BATCH) }, (_, n) => all.slice(n * BATCH, (n + 1) * BATCH)),
    );
  }

  #nameOf({ scope, key }: NamedQuota): string {
    return this.#names.ofQuota(scope, key);
  }
}

/** One of those that were asked for, and its place among them. */
interface Placed {
  readonly at: number;
  readonly name: string;
  readonly lengthMs: number;
}

function usageAt(numbers: readonly number[], at: number): QuotaUsage | undefined {
  const [startMs, used, carried] = numbers.slice(at, at + NUMBERS_OF_A_QUOTA);
  return startMs === 0 ? undefined : { startMs, used, carried };
}
