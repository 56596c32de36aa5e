import type {
  Charge,
  CounterState,
  GcraRule,
  LimitOutcome,
  SlidingWindowRule,
  SlotOutcome,
  SlotRule,
  Sum,
  SumRule,
} from '../../contract/index.ts';
import { LocalSlots } from '../slots/local-slots.ts';
import { ByRule } from './by-rule.ts';
import { CELLS_PER_KEY, isIdle } from './cells.ts';
import { addCharge, askCharge, refundCharge } from './charges.ts';
import { chargeGcra } from './gcra.ts';
import { assertAmount, assertCharge, assertTime, assertUse } from './rule.ts';
import { addSlidingWindow, applyTally, askSlidingWindow } from './sliding-window.ts';

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
  readonly #counters = new ByRule(() => new KeyedCells());
  readonly #slots = new LocalSlots();

  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): LimitOutcome {
    assertUse(cost, nowMs);
    const wholeMs = Math.floor(nowMs);
    const counter = this.#counters.of('gcra', scope, rule.limit, rule.windowMs, rule.burst);
    const cells = counter.cellsOf(key, wholeMs);
    return chargeGcra(cells, 0, rule, cost, wholeMs);
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
    const cells = this.#counters.of('sliding', scope, limit, windowMs, limit).cellsOf(key, wholeMs);
    const outcome = askSlidingWindow(cells, 0, rule, cost, wholeMs);
    if (outcome.allowed) addSlidingWindow(cells, 0, windowMs, cost);
    return outcome;
  }

  charge(charges: readonly Charge[], nowMs: number): readonly LimitOutcome[] {
    for (const charge of charges) assertCharge(charge, nowMs);
    const wholeMs = Math.floor(nowMs);
    const cells: Float64Array[] = [];
    const outcomes: LimitOutcome[] = [];
    for (const charge of charges) {
      // Asked before the next is looked up: what was never asked is swept out.
      const own = this.#counters.ofCharge(charge).cellsOf(charge.key, wholeMs);
      outcomes.push(askCharge(own, 0, charge, wholeMs));
      cells.push(own);
    }
    if (outcomes.some(({ allowed }) => !allowed)) return outcomes;
    for (let i = 0; i < charges.length; i++) addCharge(cells[i], 0, charges[i]);
    return outcomes;
  }

  refund(charges: readonly Charge[], chargedAtMs: number, nowMs: number): void {
    for (const charge of charges) assertCharge(charge, nowMs);
    assertTime(chargedAtMs);
    for (const charge of charges) {
      const cells = this.#counters.ofCharge(charge).held(charge.key);
      // Forgotten since: then time has given it back.
      if (cells !== undefined) refundCharge(cells, 0, charge, Math.floor(chargedAtMs), Math.floor(nowMs));
    }
  }

  tally(scope: string, key: string, { windowMs }: SumRule, amount: number, nowMs: number): Sum {
    assertAmount(amount, nowMs);
    const wholeMs = Math.floor(nowMs);
    const cells = this.#counters.of('tally', scope, 1, windowMs, 1).cellsOf(key, wholeMs);
    return { sum: applyTally(cells, 0, windowMs, amount, wholeMs) };
  }

  acquire(scope: string, key: string, rule: SlotRule): SlotOutcome {
    return this.#slots.acquire(scope, key, rule);
  }
}

/** Cells by key. Memory follows the live keys: each doubling is preceded by a sweep. */
class KeyedCells {
  readonly #cells = new Map<string, Float64Array>();
  #sweepAt = FIRST_SWEEP;

  held(key: string): Float64Array | undefined {
    return this.#cells.get(key);
  }

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
