import type { LimitOutcome } from '../../contract/index.ts';
import { dropLock, freeLocksOf, takeLock } from './bucket-lock.ts';
import { CELLS_PER_KEY, clear, IDLE_AT, isIdle } from './cells.ts';
import {
  BUCKET_WORDS,
  cellsOf,
  hashesOf,
  lockOf,
  openTable,
  REFUSED_FOR_SPACE,
  SEED_HIGH,
  SEED_LOW,
  type SharedTable,
  WAYS,
} from './shared-table.ts';

/** No place is held by the key. */
export const NONE = -1;

/** Thread ids are never used twice in a process and start at 0, which a lock keeps for "free". */
const ownerOf = (thread: number): number => thread + 1;

/** A shared table as one thread uses it: finds the places of keys, under the lock of their bucket. */
export class CounterTable {
  /** The cells of all places are among them. To be touched under their bucket's lock. */
  readonly cells: Float64Array;
  readonly #table: SharedTable;
  readonly #owner: number;
  readonly #spared: number;
  readonly #nobodys = new Float64Array(CELLS_PER_KEY);

  /**
   * `spared`: so many places of each bucket are not for keys that anybody may be. Throws InternalError for a buffer that
   * `allocateTable` did not make.
   */
  constructor(buffer: SharedArrayBuffer, threadId: number, spared: number) {
    this.#spared = spared;
    this.#table = openTable(buffer);
    this.#owner = ownerOf(threadId);
    this.cells = this.#table.doubles;
  }

  get maxKeys(): number {
    return (this.#table.mask + 1) * WAYS;
  }

  /** Requests refused since all places for their key were live. */
  get refusedForSpace(): number {
    return Atomics.load(this.#table.header, REFUSED_FOR_SPACE) >>> 0;
  }

  get seedLow(): number {
    return this.#table.header[SEED_LOW];
  }

  get seedHigh(): number {
    return this.#table.header[SEED_HIGH];
  }

  /** Before any thread uses the table. */
  seed(low: number, high: number): void {
    this.#table.header[SEED_LOW] = low;
    this.#table.header[SEED_HIGH] = high;
  }

  /** The bucket of keys whose hash ends in `low`. */
  bucketOf(low: number): number {
    return low & this.#table.mask;
  }

  /** Throws InternalError as `takeLock` does. */
  lock(bucket: number): void {
    takeLock(this.#table.words, lockOf(bucket), this.#owner);
  }

  unlock(bucket: number): void {
    dropLock(this.#table.words, lockOf(bucket));
  }

  /** Frees what a thread held when it was ended; never for one that still runs. */
  release(endedThreadId: number): void {
    freeLocksOf(this.#table.words, BUCKET_WORDS, ownerOf(endedThreadId));
  }

  /** Where the key's cells begin, or NONE. */
  held(bucket: number, low: number, high: number): number {
    const { words } = this.#table;
    const first = hashesOf(bucket);
    for (let place = 0; place < WAYS; place++) {
      const hash = first + place * 2;
      if (words[hash] === low && words[hash + 1] === high) return cellsOf(bucket) + place * CELLS_PER_KEY;
    }
    return NONE;
  }

  /** Cells as of a key never seen, until they are asked for again. A question about such a key takes no place. */
  fresh(): Float64Array {
    clear(this.#nobodys, 0);
    return this.#nobodys;
  }

  /**
   * The key's cells or those of one that has nothing to remember, made ready; NONE when all are live that a key may have
   * which is, or is not, unproven.
   */
  place(bucket: number, low: number, high: number, nowMs: number, isUnproven: boolean): number {
    const held = this.held(bucket, low, high);
    if (held !== NONE) return held;
    const { words, doubles } = this.#table;
    for (let place = isUnproven ? this.#spared : 0; place < WAYS; place++) {
      const at = cellsOf(bucket) + place * CELLS_PER_KEY;
      if (!isIdle(doubles, at, nowMs)) continue;
      clear(doubles, at);
      const hash = hashesOf(bucket) + place * 2;
      words[hash] = low;
      words[hash + 1] = high;
      return at;
    }
    return NONE;
  }

  /**
   * A flood of keys has filled the bucket. To forget a live key would lift its limit, so the new one is refused,
   * until the first of the others has nothing left to remember.
   */
  refuse(bucket: number, nowMs: number, isUnproven: boolean): LimitOutcome {
    const { header, doubles } = this.#table;
    Atomics.add(header, REFUSED_FOR_SPACE, 1);
    let freeMs = Number.POSITIVE_INFINITY;
    for (let place = isUnproven ? this.#spared : 0; place < WAYS; place++) {
      freeMs = Math.min(freeMs, doubles[cellsOf(bucket) + place * CELLS_PER_KEY + IDLE_AT] - nowMs);
    }
    return { allowed: false, remaining: 0, retryAfterMs: freeMs, resetMs: freeMs, full: true };
  }
}
