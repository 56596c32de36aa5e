import type { Charge, LimitOutcome } from '../contract/index.ts';
import { applyFixedWindow, refundFixedWindow } from './fixed-window.ts';
import { applyGcra, refundGcra } from './gcra.ts';
import { applySlidingWindow, refundSlidingWindow } from './sliding-window.ts';

/** What tells a charge's counter apart beside its scope and key: counts under one rule mean nothing under another. */
export interface RuleIdentity {
  readonly kind: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly most: number;
}

const FIXED: RuleIdentity = Object.freeze({ kind: 'fixed', limit: 1, windowMs: 1, most: 1 });
/** A quota's counter is told apart by its scope and key alone. */
export const QUOTA: RuleIdentity = Object.freeze({ kind: 'quota', limit: 1, windowMs: 1, most: 1 });

/** A fixed window is told apart by its scope alone: who raises its limit does not give everybody a new one. */
export function identityOf(charge: Charge): RuleIdentity {
  switch (charge.kind) {
    case 'gcra':
      return {
        kind: 'gcra',
        limit: charge.rule.limit,
        windowMs: charge.rule.windowMs,
        most: charge.rule.burst,
      };
    case 'sliding-window': {
      const { limit, windowMs } = charge.rule;
      return { kind: 'sliding', limit, windowMs, most: limit };
    }
    case 'fixed-window':
      return FIXED;
    case 'quota':
      return QUOTA;
  }
}

/** Charges a counter by its own rule. Dry, nothing is charged. */
export function applyCharge(
  cells: Float64Array,
  at: number,
  charge: Charge,
  nowMs: number,
  isDry: boolean,
): LimitOutcome {
  const { cost } = charge;
  switch (charge.kind) {
    case 'gcra':
      return applyGcra(cells, at, charge.rule, cost, nowMs, isDry);
    case 'sliding-window':
      return applySlidingWindow(cells, at, charge.rule, cost, nowMs, isDry);
    case 'fixed-window':
      return applyFixedWindow(cells, at, charge.rule, 0, cost, nowMs, isDry);
    case 'quota':
      return applyFixedWindow(cells, at, charge.rule, charge.rule.carryOver, cost, nowMs, isDry);
  }
}

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
      return refundFixedWindow(cells, at, charge.rule, 0, cost, chargedAtMs);
    case 'quota':
      return refundFixedWindow(cells, at, charge.rule, charge.rule.carryOver, cost, chargedAtMs);
  }
}

/**
 * All or none: charges one after the other, and with the first that refuses gives back the ones before and only asks
 * the rest. Meanwhile others may be refused for what is given back; nobody is ever admitted too much.
 */
export function chargeAll(
  charges: readonly Charge[],
  apply: (charge: Charge, isDry: boolean) => LimitOutcome,
  refund: (charge: Charge) => void,
): readonly LimitOutcome[] {
  const outcomes: LimitOutcome[] = [];
  for (const charge of charges) {
    const outcome = apply(charge, false);
    outcomes.push(outcome);
    if (outcome.allowed) continue;
    for (let before = 0; before < outcomes.length - 1; before++) refund(charges[before]);
    return charges.map((one) => (one === charge ? outcome : apply(one, true)));
  }
  return outcomes;
}
