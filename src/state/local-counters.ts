import type {
  Charge,
  CounterState,
  GcraRule,
  LimitOutcome,
  SlidingWindowRule,
  SlotOutcome,
  SlotRule,
} from '../contract/index.ts';
import { CELLS_PER_KEY, isIdle } from './cells.ts';
import { applyCharge, chargeAll, identityOf, refundCharge } from './charges.ts';
import { ruleName } from './counter-names.ts';
import { applyGcra } from './gcra.ts';
import { LocalSlots } from './local-slots.ts';
import { assertRule, assertUse } from './rule.ts';
import { applySlidingWindow, applyTally } from './sliding-window.ts';

/** Keys of one counter before its idle ones are looked for. */
const FIRST_SWEEP = 1024;

/**
 * Counters in this thread's own memory, empty at the start: for tests, replay and evaluation offline. The same
 * arithmetic as the shared ones, by full names instead of hashes. Never refuses for space; idle keys are
 * forgotten as others come.
 */
export function createLocalCounters(): CounterState {
  return new LocalCounterState();
}

class LocalCounterState implements CounterState {
  readonly #counters = new Map<string, KeyedCells>();
  readonly #slots = new LocalSlots();

  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): LimitOutcome {
    assertUse(cost, nowMs);
    const wholeMs = Math.floor(nowMs);
    const counter = this.#counter('gcra', scope, rule.limit, rule.windowMs, rule.burst);
    return applyGcra(counter.cellsOf(key, wholeMs), 0, rule, cost, wholeMs);
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
    const counter = this.#counter('sliding', scope, rule.limit, rule.windowMs, rule.limit);
    return applySlidingWindow(counter.cellsOf(key, wholeMs), 0, rule, cost, wholeMs);
  }

  charge(charges: readonly Charge[], nowMs: number): readonly LimitOutcome[] {
    const wholeMs = Math.floor(nowMs);
    for (const { cost } of charges) assertUse(cost, nowMs);
    return chargeAll(
      charges,
      (charge, isDry) => applyCharge(this.#cells(charge, wholeMs), 0, charge, wholeMs, isDry),
      (charge) => refundCharge(this.#cells(charge, wholeMs), 0, charge, wholeMs, wholeMs),
    );
  }

  refund(charges: readonly Charge[], chargedAtMs: number, nowMs: number): void {
    const wholeMs = Math.floor(nowMs);
    for (const charge of charges)
      refundCharge(this.#cells(charge, wholeMs), 0, charge, Math.floor(chargedAtMs), wholeMs);
  }

  tally(scope: string, key: string, windowMs: number, amount: number, nowMs: number): number {
    assertUse(0, nowMs);
    const wholeMs = Math.floor(nowMs);
    const counter = this.#counter('tally', scope, 1, windowMs, 1);
    return applyTally(counter.cellsOf(key, wholeMs), 0, windowMs, amount, wholeMs);
  }

  acquire(scope: string, key: string, rule: SlotRule): SlotOutcome {
    return this.#slots.acquire(scope, key, rule);
  }

  #cells(charge: Charge, wholeMs: number): Float64Array {
    const { kind, limit, windowMs, most } = identityOf(charge);
    return this.#counter(kind, charge.scope, limit, windowMs, most).cellsOf(charge.key, wholeMs);
  }

  #counter(kind: string, scope: string, limit: number, windowMs: number, most: number): KeyedCells {
    const name = ruleName(kind, scope, limit, windowMs, most);
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    assertRule(limit, windowMs, most);
    const counter = new KeyedCells();
    this.#counters.set(name, counter);
    return counter;
  }
}

/** Cells by key. Memory follows the live keys: each doubling is preceded by a sweep. */
class KeyedCells {
  readonly #cells = new Map<string, Float64Array>();
  #sweepAt = FIRST_SWEEP;

  cellsOf(key: string, nowMs: number): Float64Array {
    const known = this.#cells.get(key);
    if (known !== undefined) return known;
    if (this.#cells.size >= this.#sweepAt) this.#sweep(nowMs);
    const fresh = new Float64Array(CELLS_PER_KEY);
    this.#cells.set(key, fresh);
    return fresh;
  }

  #sweep(nowMs: number): void {
    for (const [key, cells] of this.#cells) if (isIdle(cells, 0, nowMs)) this.#cells.delete(key);
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#cells.size * 2);
  }
}
