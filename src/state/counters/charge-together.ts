import type { Charge, LimitOutcome } from '../../contract/index.ts';
import { addCharge, askCharge } from './charges.ts';
import type { CounterNames } from './counter-names.ts';
import { type CounterTable, NONE } from './counter-table.ts';

/** Above the number of any bucket, so that those of quotas come after all others. */
const QUOTAS_FROM = 2 ** 24;

const FIRST_CAPACITY = 16;

/**
 * Charges several counters of the shared tables, or none, at one instant: the buckets of all are locked while they are
 * asked and charged, so that nobody is refused for what is given back a moment later. All threads lock in one
 * order, so that none waits for one that waits for it.
 */
export class ChargeTogether {
  readonly #counters: CounterTable;
  readonly #quotas: CounterTable;
  readonly #names: CounterNames;
  /** Of the charges at hand, kept so that nothing is allocated. */
  #lows = new Int32Array(FIRST_CAPACITY);
  #highs = new Int32Array(FIRST_CAPACITY);
  #cellsAt = new Float64Array(FIRST_CAPACITY);
  /** Buckets to lock, each once, in the order they are locked in. */
  #locks = new Int32Array(FIRST_CAPACITY);

  constructor(counters: CounterTable, quotas: CounterTable, names: CounterNames) {
    this.#counters = counters;
    this.#quotas = quotas;
    this.#names = names;
  }

  /** The charges were checked; `nowMs` is whole. */
  charge(charges: readonly Charge[], nowMs: number): readonly LimitOutcome[] {
    if (charges.length > this.#lows.length) this.#grow(charges.length);
    const count = this.#identify(charges);
    let locked = 0;
    try {
      for (; locked < count; locked++) this.#lock(this.#locks[locked]);
      return this.#decide(charges, nowMs);
    } finally {
      while (locked > 0) this.#unlock(this.#locks[--locked]);
    }
  }

  #decide(charges: readonly Charge[], nowMs: number): LimitOutcome[] {
    const outcomes: LimitOutcome[] = [];
    let allowed = true;
    for (let i = 0; i < charges.length; i++) {
      const outcome = this.#ask(charges[i], i, nowMs);
      outcomes.push(outcome);
      if (!outcome.allowed) allowed = false;
    }
    if (!allowed) return outcomes;
    for (let i = 0; i < charges.length; i++) {
      const at = this.#cellsAt[i];
      if (at !== NONE) addCharge(this.#tableOf(charges[i]).cells, at, charges[i]);
    }
    return outcomes;
  }

  #ask(charge: Charge, i: number, nowMs: number): LimitOutcome {
    const table = this.#tableOf(charge);
    const low = this.#lows[i];
    const high = this.#highs[i];
    const bucket = table.bucketOf(low);
    const isQuestion = charge.cost === 0;
    const isUnproven = charge.rule.unproven === true;
    const at = isQuestion ? table.held(bucket, low, high) : table.place(bucket, low, high, nowMs, isUnproven);
    this.#cellsAt[i] = at;
    if (at !== NONE) return askCharge(table.cells, at, charge, nowMs);
    return isQuestion ? askCharge(table.fresh(), 0, charge, nowMs) : table.refuse(bucket, nowMs, isUnproven);
  }

  /** Notes who is charged and which buckets that locks; returns how many. */
  #identify(charges: readonly Charge[]): number {
    let count = 0;
    for (let i = 0; i < charges.length; i++) {
      const charge = charges[i];
      this.#names.identifyCharge(charge);
      this.#lows[i] = this.#names.low;
      this.#highs[i] = this.#names.high;
      const bucket = this.#tableOf(charge).bucketOf(this.#names.low);
      count = this.#insert(charge.kind === 'quota' ? QUOTAS_FROM + bucket : bucket, count);
    }
    return count;
  }

  /** Into the `count` buckets that are there in order, unless it is there. */
  #insert(lock: number, count: number): number {
    const locks = this.#locks;
    let at = count;
    while (at > 0 && locks[at - 1] > lock) at--;
    if (at > 0 && locks[at - 1] === lock) return count;
    locks.copyWithin(at + 1, at, count);
    locks[at] = lock;
    return count + 1;
  }

  #lock(lock: number): void {
    if (lock >= QUOTAS_FROM) this.#quotas.lock(lock - QUOTAS_FROM);
    else this.#counters.lock(lock);
  }

  #unlock(lock: number): void {
    if (lock >= QUOTAS_FROM) this.#quotas.unlock(lock - QUOTAS_FROM);
    else this.#counters.unlock(lock);
  }

  #tableOf(charge: Charge): CounterTable {
    return charge.kind === 'quota' ? this.#quotas : this.#counters;
  }

  #grow(charges: number): void {
    this.#lows = new Int32Array(charges);
    this.#highs = new Int32Array(charges);
    this.#cellsAt = new Float64Array(charges);
    this.#locks = new Int32Array(charges);
  }
}
