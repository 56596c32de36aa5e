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
import { CELLS_PER_KEY } from './cells.ts';
import { applyCharge, chargeAll, identityOf, refundCharge } from './charges.ts';
import type { CounterMemory } from './counter-memory.ts';
import { CounterNames } from './counter-names.ts';
import { CounterTable, NONE } from './counter-table.ts';
import { applyGcra } from './gcra.ts';
import type { KeyHash } from './key-hash.ts';
import { LocalSlots } from './local-slots.ts';
import { type QuotaUsage, type RestoredQuota, readQuota, restoreQuota } from './quota-store.ts';
import { assertUse } from './rule.ts';
import { allocateTable } from './shared-table.ts';
import { applySlidingWindow, applyTally } from './sliding-window.ts';

export interface SharedCounterOptions {
  /** Seeds the hash of keys. */
  readonly random: Random;
  /** Keys with something to remember at one time, rounded up to a power of two. Default 1,048,576 (42 MB when full). */
  readonly maxKeys?: number;
  /** The same for the quotas of callers. Default 131,072 (5 MB when full). */
  readonly maxQuotas?: number;
}

/** The side of shared counters that owns them: the thread that starts the workers. */
export interface SharedCounters {
  /** Goes to every worker, which attaches to it. */
  readonly memory: CounterMemory;
  /** Frees what a worker held when it was ended; call with its `threadId` once it has exited, never before. */
  release(endedThreadId: number): void;
  /** `refusedForSpace`: requests refused since the table's places for their key were all live, quotas included. */
  stats(): { readonly maxKeys: number; readonly maxQuotas: number; readonly refusedForSpace: number };
  /** What a quota (a charge of kind `quota`) stands at, or undefined when nothing is known of it. */
  readQuota(scope: string, key: string): QuotaUsage | undefined;
  /** Sets a quota, whatever it stood at. False when the table of quotas has no place for it. */
  restoreQuota(scope: string, key: string, quota: RestoredQuota, nowMs: number): boolean;
}

/** Makes the counters of a node. Bounded memory, allocated once. */
export function createSharedCounters(options: SharedCounterOptions): SharedCounters {
  const memory: CounterMemory = {
    counters: allocateTable(options.maxKeys ?? 1_048_576),
    quotas: allocateTable(options.maxQuotas ?? 131_072),
  };
  const counters = new CounterTable(memory.counters, threadId);
  const quotas = new CounterTable(memory.quotas, threadId);
  const low = Number.parseInt(options.random.hex(4), 16);
  const high = Number.parseInt(options.random.hex(4), 16);
  counters.seed(low, high);
  const names = new CounterNames(low, high);
  return {
    memory,
    release(endedThreadId) {
      counters.release(endedThreadId);
      quotas.release(endedThreadId);
    },
    stats: () => ({
      maxKeys: counters.maxKeys,
      maxQuotas: quotas.maxKeys,
      refusedForSpace: counters.refusedForSpace + quotas.refusedForSpace,
    }),
    readQuota: (scope, key) => readQuota(quotas, names, scope, key),
    restoreQuota: (scope, key, quota, nowMs) => restoreQuota(quotas, names, scope, key, quota, nowMs),
  };
}

/** The counters as this thread uses them. Exact across all attached threads: a bucket is changed under its lock. */
export function attachSharedCounters(memory: CounterMemory): CounterState {
  return new SharedCounterState(memory);
}

class SharedCounterState implements CounterState {
  readonly #counters: CounterTable;
  readonly #quotas: CounterTable;
  readonly #names: CounterNames;
  readonly #slots = new LocalSlots();

  constructor(memory: CounterMemory) {
    this.#counters = new CounterTable(memory.counters, threadId);
    this.#quotas = new CounterTable(memory.quotas, threadId);
    this.#names = new CounterNames(this.#counters.seedLow, this.#counters.seedHigh);
  }

  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): LimitOutcome {
    assertUse(cost, nowMs);
    const wholeMs = Math.floor(nowMs);
    const { low, high } = this.#names.identify('gcra', scope, rule.limit, rule.windowMs, rule.burst, key);
    const table = this.#counters;
    const bucket = table.lock(low);
    // A question changes nothing: it takes no place, and a key without one holds nothing.
    const place = cost === 0 ? table.held(bucket, low, high) : table.place(bucket, low, high, wholeMs);
    let outcome: LimitOutcome;
    if (place !== NONE) outcome = applyGcra(table.cells, place * CELLS_PER_KEY, rule, cost, wholeMs);
    else if (cost === 0) outcome = untouched(rule);
    else outcome = table.refuse(bucket, wholeMs);
    table.unlock(bucket);
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
    const { limit, windowMs } = rule;
    const { low, high } = this.#names.identify('sliding', scope, limit, windowMs, limit, key);
    const table = this.#counters;
    const bucket = table.lock(low);
    const place = table.place(bucket, low, high, wholeMs);
    const outcome =
      place === NONE
        ? table.refuse(bucket, wholeMs)
        : applySlidingWindow(table.cells, place * CELLS_PER_KEY, rule, cost, wholeMs);
    table.unlock(bucket);
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
    const { low, high } = this.#names.identify('tally', scope, 1, windowMs, 1, key);
    const table = this.#counters;
    const bucket = table.lock(low);
    const place = table.place(bucket, low, high, wholeMs);
    const sum =
      place === NONE ? amount : applyTally(table.cells, place * CELLS_PER_KEY, windowMs, amount, wholeMs);
    table.unlock(bucket);
    return sum;
  }

  acquire(scope: string, key: string, rule: SlotRule): SlotOutcome {
    return this.#slots.acquire(scope, key, rule);
  }

  #apply(charge: Charge, wholeMs: number, isDry: boolean): LimitOutcome {
    const { low, high } = this.#identify(charge);
    const table = this.#tableOf(charge);
    const bucket = table.lock(low);
    const place = table.place(bucket, low, high, wholeMs);
    const outcome =
      place === NONE
        ? table.refuse(bucket, wholeMs)
        : applyCharge(table.cells, place * CELLS_PER_KEY, charge, wholeMs, isDry);
    table.unlock(bucket);
    return outcome;
  }

  #giveBack(charge: Charge, chargedAtMs: number, wholeMs: number): void {
    const { low, high } = this.#identify(charge);
    const table = this.#tableOf(charge);
    const bucket = table.lock(low);
    const place = table.held(bucket, low, high);
    // Forgotten since: then time has given it back.
    if (place !== NONE) refundCharge(table.cells, place * CELLS_PER_KEY, charge, chargedAtMs, wholeMs);
    table.unlock(bucket);
  }

  #tableOf(charge: Charge): CounterTable {
    return charge.kind === 'quota' ? this.#quotas : this.#counters;
  }

  #identify(charge: Charge): KeyHash {
    const { kind, limit, windowMs, most } = identityOf(charge);
    return this.#names.identify(kind, charge.scope, limit, windowMs, most, charge.key);
  }
}

/** What a key that was never charged, or has nothing left to remember, says. */
const untouched = ({ burst }: GcraRule): LimitOutcome => ({
  allowed: true,
  remaining: burst,
  retryAfterMs: 0,
  resetMs: 0,
});
