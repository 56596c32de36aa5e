import { threadId } from 'node:worker_threads';
import type {
  Charge,
  CounterState,
  GcraRule,
  LimitOutcome,
  Random,
  SlidingWindowRule,
  SlotOutcome,
  SlotRule,
} from '../contract/index.ts';
import { dropLock, freeLocksOf, takeLock } from './bucket-lock.ts';
import { CELLS_PER_KEY, IDLE_AT, isIdle } from './cells.ts';
import { applyCharge, chargeAll, identityOf, refundCharge } from './charges.ts';
import { CounterNames } from './counter-names.ts';
import { applyGcra } from './gcra.ts';
import { LocalSlots } from './local-slots.ts';
import { assertUse } from './rule.ts';
import {
  allocateTable,
  openTable,
  REFUSED_FOR_SPACE,
  SEED_HIGH,
  SEED_LOW,
  type SharedTable,
  WAYS,
} from './shared-table.ts';
import { applySlidingWindow, applyTally } from './sliding-window.ts';

export interface SharedCounterOptions {
  /** Seeds the hash of keys. */
  readonly random: Random;
  /** Keys with something to remember at one time, rounded up to a power of two. Default 1,048,576 (42 MB when full). */
  readonly maxKeys?: number;
}

/** The side of shared counters that owns them: the thread that starts the workers. */
export interface SharedCounters {
  /** Goes to every worker, which attaches to it. */
  readonly buffer: SharedArrayBuffer;
  /** Frees what a worker held when it was ended; call with its `threadId` once it has exited, never before. */
  release(endedThreadId: number): void;
  /** `refusedForSpace`: requests refused since the table's places for their key were all live. */
  stats(): { readonly maxKeys: number; readonly refusedForSpace: number };
}

/** Makes the counters of a node. Bounded memory, allocated once. */
export function createSharedCounters(options: SharedCounterOptions): SharedCounters {
  const buffer = allocateTable(options.maxKeys ?? 1_048_576);
  const table = openTable(buffer);
  table.header[SEED_LOW] = Number.parseInt(options.random.hex(4), 16);
  table.header[SEED_HIGH] = Number.parseInt(options.random.hex(4), 16);
  return {
    buffer,
    release: (endedThreadId) => void freeLocksOf(table.locks, ownerOf(endedThreadId)),
    stats: () => ({
      maxKeys: table.hashes.length / 2,
      refusedForSpace: Atomics.load(table.header, REFUSED_FOR_SPACE) >>> 0,
    }),
  };
}

/** The counters as this thread uses them. Exact across all attached threads: a bucket is changed under its lock. */
export function attachSharedCounters(buffer: SharedArrayBuffer): CounterState {
  return new SharedCounterState(openTable(buffer), ownerOf(threadId));
}

/** Thread ids are never used twice in a process and start at 0, which a lock keeps for "free". */
const ownerOf = (thread: number): number => thread + 1;

const NONE = -1;

class SharedCounterState implements CounterState {
  readonly #table: SharedTable;
  readonly #owner: number;
  readonly #names: CounterNames;
  readonly #slots = new LocalSlots();

  constructor(table: SharedTable, owner: number) {
    this.#table = table;
    this.#owner = owner;
    this.#names = new CounterNames(table.header[SEED_LOW], table.header[SEED_HIGH]);
  }

  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): LimitOutcome {
    assertUse(cost, nowMs);
    const wholeMs = Math.floor(nowMs);
    this.#names.identify('gcra', scope, rule.limit, rule.windowMs, rule.burst, key);
    const bucket = this.#lock();
    // A question changes nothing: it takes no place, and a key without one holds nothing.
    const place = cost === 0 ? this.#held(bucket) : this.#place(bucket, wholeMs);
    const outcome =
      place === NONE
        ? this.#unplaced(bucket, rule, cost, wholeMs)
        : applyGcra(this.#table.cells, place * CELLS_PER_KEY, rule, cost, wholeMs);
    dropLock(this.#table.locks, bucket);
    return outcome;
  }

  slidingWindow(
    scope: string,
    key: string,
    rule: SlidingWindowRule,
    cost: number,
    nowMs: number,
  ): LimitOutcome {
    assertUse(cost, nowMs);
    const wholeMs = Math.floor(nowMs);
    this.#names.identify('sliding', scope, rule.limit, rule.windowMs, rule.limit, key);
    const bucket = this.#lock();
    const place = this.#place(bucket, wholeMs);
    const outcome =
      place === NONE
        ? this.#noPlace(bucket, wholeMs)
        : applySlidingWindow(this.#table.cells, place * CELLS_PER_KEY, rule, cost, wholeMs);
    dropLock(this.#table.locks, bucket);
    return outcome;
  }

  charge(charges: readonly Charge[], nowMs: number): readonly LimitOutcome[] {
    for (const { cost } of charges) assertUse(cost, nowMs);
    const wholeMs = Math.floor(nowMs);
    return chargeAll(
      charges,
      (charge, isDry) => this.#apply(charge, wholeMs, isDry),
      (charge) => this.#giveBack(charge, wholeMs, wholeMs),
    );
  }

  refund(charges: readonly Charge[], chargedAtMs: number, nowMs: number): void {
    for (const charge of charges) this.#giveBack(charge, Math.floor(chargedAtMs), Math.floor(nowMs));
  }

  tally(scope: string, key: string, windowMs: number, amount: number, nowMs: number): number {
    assertUse(0, nowMs);
    const wholeMs = Math.floor(nowMs);
    this.#names.identify('tally', scope, 1, windowMs, 1, key);
    const bucket = this.#lock();
    const place = this.#place(bucket, wholeMs);
    const { cells, locks } = this.#table;
    const sum = place === NONE ? amount : applyTally(cells, place * CELLS_PER_KEY, windowMs, amount, wholeMs);
    dropLock(locks, bucket);
    return sum;
  }

  acquire(scope: string, key: string, rule: SlotRule): SlotOutcome {
    return this.#slots.acquire(scope, key, rule);
  }

  #apply(charge: Charge, wholeMs: number, isDry: boolean): LimitOutcome {
    this.#identify(charge);
    const bucket = this.#lock();
    const place = this.#place(bucket, wholeMs);
    const outcome =
      place === NONE
        ? this.#noPlace(bucket, wholeMs)
        : applyCharge(this.#table.cells, place * CELLS_PER_KEY, charge, wholeMs, isDry);
    dropLock(this.#table.locks, bucket);
    return outcome;
  }

  #giveBack(charge: Charge, chargedAtMs: number, wholeMs: number): void {
    this.#identify(charge);
    const bucket = this.#lock();
    const place = this.#held(bucket);
    // Forgotten since: then time has given it back.
    if (place !== NONE) refundCharge(this.#table.cells, place * CELLS_PER_KEY, charge, chargedAtMs, wholeMs);
    dropLock(this.#table.locks, bucket);
  }

  #identify(charge: Charge): void {
    const { kind, limit, windowMs, most } = identityOf(charge);
    this.#names.identify(kind, charge.scope, limit, windowMs, most, charge.key);
  }

  /** Locks the bucket of the key just identified. */
  #lock(): number {
    const bucket = this.#names.hash.low & this.#table.mask;
    takeLock(this.#table.locks, bucket, this.#owner);
    return bucket;
  }

  /** The key's place, or NONE. */
  #held(bucket: number): number {
    const { hashes } = this.#table;
    const { low, high } = this.#names.hash;
    const first = bucket * WAYS;
    for (let place = first; place < first + WAYS; place++) {
      if (hashes[place * 2] === low && hashes[place * 2 + 1] === high) return place;
    }
    return NONE;
  }

  /** The key's place, or one whose key has nothing to remember, made ready; NONE when all are live. */
  #place(bucket: number, nowMs: number): number {
    const held = this.#held(bucket);
    if (held !== NONE) return held;
    const { hashes, cells } = this.#table;
    const { low, high } = this.#names.hash;
    const first = bucket * WAYS;
    for (let place = first; place < first + WAYS; place++) {
      if (!isIdle(cells, place * CELLS_PER_KEY, nowMs)) continue;
      cells.fill(0, place * CELLS_PER_KEY, (place + 1) * CELLS_PER_KEY);
      hashes[place * 2] = low;
      hashes[place * 2 + 1] = high;
      return place;
    }
    return NONE;
  }

  #unplaced(bucket: number, rule: GcraRule, cost: number, nowMs: number): LimitOutcome {
    return cost === 0 ? untouched(rule) : this.#noPlace(bucket, nowMs);
  }

  /**
   * A flood of keys has filled the bucket. To forget a live key would lift its limit, so the new one is refused,
   * until the first of the others has nothing left to remember.
   */
  #noPlace(bucket: number, nowMs: number): LimitOutcome {
    const { header, cells } = this.#table;
    Atomics.add(header, REFUSED_FOR_SPACE, 1);
    let freeMs = Number.POSITIVE_INFINITY;
    for (let place = bucket * WAYS; place < (bucket + 1) * WAYS; place++) {
      freeMs = Math.min(freeMs, cells[place * CELLS_PER_KEY + IDLE_AT] - nowMs);
    }
    return { allowed: false, remaining: 0, retryAfterMs: freeMs, resetMs: freeMs };
  }
}

/** What a key that was never charged, or has nothing left to remember, says. */
const untouched = ({ burst }: GcraRule): LimitOutcome => ({
  allowed: true,
  remaining: burst,
  retryAfterMs: 0,
  resetMs: 0,
});
