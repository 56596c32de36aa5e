import { threadId } from 'node:worker_threads';
import type {
  Awaitable,
  Charge,
  CounterState,
  GcraRule,
  LimitOutcome,
  Random,
  SlidingWindowRule,
  SlotOutcome,
  SlotRule,
  Sum,
  SumRule,
  Waiter,
} from '../../contract/index.ts';
import { createSlots } from '../slots/slots.ts';
import { attachSlots, type WorkerSlots } from '../slots/worker-slots.ts';
import { ChargeTogether } from './charge-together.ts';
import { refundCharge } from './charges.ts';
import type { CounterMemory } from './counter-memory.ts';
import { CounterNames } from './counter-names.ts';
import { CounterTable, NONE } from './counter-table.ts';
import { askGcra, chargeGcra } from './gcra.ts';
import {
  changeQuota,
  type QuotaChange,
  type QuotaUsage,
  type RestoredQuota,
  readQuota,
  restoreQuota,
} from './quota-store.ts';
import { assertAmount, assertCharge, assertTime, assertUse } from './rule.ts';
import { allocateTable, SPARED_WAYS } from './shared-table.ts';
import { addSlidingWindow, applyTally, askSlidingWindow } from './sliding-window.ts';

/** 46 MB when all are used. */
export const DEFAULT_COUNTER_KEYS = 1_048_576;

export interface SharedCounterOptions {
  /** Seeds the hash of keys. */
  readonly random: Random;
  /** Keys with something to remember at one time, rounded up to a power of two: 44 bytes each, once used. Default 1,048,576. */
  readonly maxKeys?: number;
  /** The same for the quotas of callers. Default 131,072. */
  readonly maxQuotas?: number;
  /** Worker threads, for the memory of what they hold. Default 8. */
  readonly threads?: number;
}

/** Of one table: keys it has places for, and requests refused since all places for their key were live. */
export interface CounterTableStats {
  readonly maxKeys: number;
  readonly refusedForSpace: number;
}

/** Each table by the name of what it counts. */
export type CounterStats = Readonly<Record<keyof CounterMemory, CounterTableStats>>;

/** The side of shared counters that owns them: the thread that starts the workers. */
export interface SharedCounters {
  /** Goes to every worker, which attaches to it. */
  readonly memory: CounterMemory;
  /** Frees what a worker held when it was ended; call with its `threadId` once it has exited, never before. */
  release(endedThreadId: number): void;
  stats(): CounterStats;
  /** What a quota (a charge of kind `quota`) stands at, or undefined when nothing is known of it. */
  readQuota(scope: string, key: string): QuotaUsage | undefined;
  /** Sets a quota, whatever it stood at. False when the table of quotas has no place for it. */
  restoreQuota(scope: string, key: string, quota: RestoredQuota, nowMs: number): boolean;
  /** Changes what a quota stands at, in one step; undefined when nothing is known of it. */
  changeQuota(scope: string, key: string, change: (usage: QuotaUsage) => QuotaChange): QuotaUsage | undefined;
}

/** Makes the counters of a node. Bounded memory, allocated once. */
export function createSharedCounters(options: SharedCounterOptions): SharedCounters {
  const { random, threads } = options;
  const slots = createSlots(threads === undefined ? { random } : { random, threads });
  const memory: CounterMemory = {
    counters: allocateTable(options.maxKeys ?? DEFAULT_COUNTER_KEYS),
    quotas: allocateTable(options.maxQuotas ?? 131_072),
    slots: slots.buffer,
  };
  const counters = new CounterTable(memory.counters, threadId, SPARED_WAYS.counters);
  const quotas = new CounterTable(memory.quotas, threadId, SPARED_WAYS.quotas);
  const low = Number.parseInt(options.random.hex(4), 16);
  const high = Number.parseInt(options.random.hex(4), 16);
  counters.seed(low, high);
  const names = new CounterNames(low, high);
  return {
    memory,
    release(endedThreadId) {
      counters.release(endedThreadId);
      quotas.release(endedThreadId);
      slots.release(endedThreadId);
    },
    stats: () => ({
      counters: { maxKeys: counters.maxKeys, refusedForSpace: counters.refusedForSpace },
      quotas: { maxKeys: quotas.maxKeys, refusedForSpace: quotas.refusedForSpace },
      slots: slots.stats(),
    }),
    readQuota: (scope, key) => readQuota(quotas, names, scope, key),
    restoreQuota: (scope, key, quota, nowMs) => restoreQuota(quotas, names, scope, key, quota, nowMs),
    changeQuota: (scope, key, change) => changeQuota(quotas, names, scope, key, change),
  };
}

/** The counters of a node: what is charged to one is known at once. */
export interface NodeCounters extends CounterState {
  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): LimitOutcome;
}

/** The counters as this thread uses them. Exact across all attached threads: a bucket is changed under its lock. */
export function attachSharedCounters(memory: CounterMemory): NodeCounters {
  return new SharedCounterState(memory);
}

class SharedCounterState implements NodeCounters {
  readonly #counters: CounterTable;
  readonly #quotas: CounterTable;
  readonly #names: CounterNames;
  readonly #together: ChargeTogether;
  readonly #slots: WorkerSlots;

  constructor(memory: CounterMemory) {
    this.#counters = new CounterTable(memory.counters, threadId, SPARED_WAYS.counters);
    this.#quotas = new CounterTable(memory.quotas, threadId, SPARED_WAYS.quotas);
    this.#slots = attachSlots(memory.slots);
    this.#names = new CounterNames(this.#counters.seedLow, this.#counters.seedHigh);
    this.#together = new ChargeTogether(this.#counters, this.#quotas, this.#names);
  }

  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): LimitOutcome {
    assertUse(cost, nowMs);
    const wholeMs = Math.floor(nowMs);
    this.#names.identify('gcra', scope, rule.limit, rule.windowMs, rule.burst, key);
    const { low, high } = this.#names;
    const table = this.#counters;
    const bucket = table.bucketOf(low);
    table.lock(bucket);
    try {
      const isUnproven = rule.unproven === true;
      const at =
        cost === 0 ? table.held(bucket, low, high) : table.place(bucket, low, high, wholeMs, isUnproven);
      if (at === NONE)
        return cost === 0
          ? askGcra(table.fresh(), 0, rule, 0, wholeMs)
          : table.refuse(bucket, wholeMs, isUnproven);
      return chargeGcra(table.cells, at, rule, cost, wholeMs);
    } finally {
      table.unlock(bucket);
    }
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
    this.#names.identify('sliding', scope, limit, windowMs, limit, key);
    const { low, high } = this.#names;
    const table = this.#counters;
    const bucket = table.bucketOf(low);
    table.lock(bucket);
    try {
      const isUnproven = rule.unproven === true;
      const at =
        cost === 0 ? table.held(bucket, low, high) : table.place(bucket, low, high, wholeMs, isUnproven);
      if (at === NONE)
        return cost === 0
          ? askSlidingWindow(table.fresh(), 0, rule, 0, wholeMs)
          : table.refuse(bucket, wholeMs, isUnproven);
      const outcome = askSlidingWindow(table.cells, at, rule, cost, wholeMs);
      if (outcome.allowed) addSlidingWindow(table.cells, at, windowMs, cost);
      return outcome;
    } finally {
      table.unlock(bucket);
    }
  }

  charge(charges: readonly Charge[], nowMs: number): readonly LimitOutcome[] {
    for (const charge of charges) assertCharge(charge, nowMs);
    return this.#together.charge(charges, Math.floor(nowMs));
  }

  refund(charges: readonly Charge[], chargedAtMs: number, nowMs: number): void {
    for (const charge of charges) assertCharge(charge, nowMs);
    assertTime(chargedAtMs);
    for (const charge of charges) this.#giveBack(charge, Math.floor(chargedAtMs), Math.floor(nowMs));
  }

  tally(scope: string, key: string, { windowMs }: SumRule, amount: number, nowMs: number): Sum {
    assertAmount(amount, nowMs);
    const wholeMs = Math.floor(nowMs);
    this.#names.identify('tally', scope, 1, windowMs, 1, key);
    const { low, high } = this.#names;
    const table = this.#counters;
    const bucket = table.bucketOf(low);
    table.lock(bucket);
    try {
      const at = amount === 0 ? table.held(bucket, low, high) : table.place(bucket, low, high, wholeMs, true);
      return { sum: at === NONE ? amount : applyTally(table.cells, at, windowMs, amount, wholeMs) };
    } finally {
      table.unlock(bucket);
    }
  }

  acquire(
    scope: string,
    key: string,
    rule: SlotRule,
    _nowMs: number,
    waiter: Waiter,
  ): Awaitable<SlotOutcome> {
    return this.#slots.acquire(scope, key, rule, waiter);
  }

  #giveBack(charge: Charge, chargedAtMs: number, wholeMs: number): void {
    this.#names.identifyCharge(charge);
    const { low, high } = this.#names;
    const table = charge.kind === 'quota' ? this.#quotas : this.#counters;
    const bucket = table.bucketOf(low);
    table.lock(bucket);
    try {
      const at = table.held(bucket, low, high);
      // Forgotten since: then time has given it back.
      if (at !== NONE) refundCharge(table.cells, at, charge, chargedAtMs, wholeMs);
    } finally {
      table.unlock(bucket);
    }
  }
}
