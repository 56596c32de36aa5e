import type { Charge, LimitOutcome } from '../../contract/index.ts';
import { addFixedWindow, askFixedWindow, refundFixedWindow } from './fixed-window.ts';
import { addGcra, askGcra, refundGcra } from './gcra.ts';
import { addSlidingWindow, askSlidingWindow, refundSlidingWindow } from './sliding-window.ts';

/** Brings a counter to the time and says whether the charge's rule admits it, which `addCharge` then charges. */
export function askCharge(cells: Float64Array, at: number, charge: Charge, nowMs: number): LimitOutcome {
  const { cost } = charge;
  switch (charge.kind) {
    case 'gcra':
      return askGcra(cells, at, charge.rule, cost, nowMs);
    case 'sliding-window':
      return askSlidingWindow(cells, at, charge.rule, cost, nowMs);
    case 'fixed-window':
      return askFixedWindow(cells, at, charge.rule, 0, cost, nowMs);
    case 'quota':
      return askFixedWindow(cells, at, charge.rule, charge.rule.carryOver, cost, nowMs);
  }
}

/** Charges what was asked for just before, under the same lock. */
export function addCharge(cells: Float64Array, at: number, charge: Charge): void {
  const { cost } = charge;
  switch (charge.kind) {
    case 'gcra':
      return addGcra(cells, at, charge.rule, cost);
    case 'sliding-window':
      return addSlidingWindow(cells, at, charge.rule.windowMs, cost);
    case 'fixed-window':
      return addFixedWindow(cells, at, charge.rule, 0, cost);
    case 'quota':
      return addFixedWindow(cells, at, charge.rule, charge.rule.carryOver, cost);
  }
}

/** Gives back a charge, by the very rule it was charged by. */
export function refundCharge(
  cells: Float64Array,
  at: number,
  charge: Charge,
  chargedAtMs: number,
  nowMs: number,
): void {
  const { cost } = charge;
  switch (charge.kind) {
    case 'gcra':
      return refundGcra(cells, at, charge.rule, cost, chargedAtMs, nowMs);
    case 'sliding-window':
      return refundSlidingWindow(cells, at, charge.rule, cost, chargedAtMs, nowMs);
    case 'fixed-window':
    case 'quota':
      return refundFixedWindow(cells, at, charge.rule, cost, chargedAtMs, nowMs);
  }
}
