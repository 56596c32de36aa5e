import type { Charge, FixedWindowRule } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';

/** Up to here sums, differences and quotients of counters are exact in a double. */
const MAX_PRODUCT = 2 ** 52;

/**
 * Why a rule cannot be counted exactly, in words, or undefined when it can. `most` is the most requests at
 * once: the burst of a GCRA rule, the limit of a sliding window.
 */
export function ruleFault(limit: number, windowMs: number, most: number): string | undefined {
  if (!isCount(limit)) return 'the limit is not a whole number of at least 1';
  if (!isCount(windowMs)) return 'the window is not a whole number of milliseconds of at least 1';
  if (!isCount(most)) return 'the burst is not a whole number of at least 1';
  if (Math.max(limit, most) * windowMs <= MAX_PRODUCT) return undefined;
  return `the limit is too large for its window: at most ${Math.floor(MAX_PRODUCT / windowMs)} can be counted`;
}

/** Throws InternalError for a rule that a policy should have refused at compile time. */
export function assertRule(limit: number, windowMs: number, most: number): void {
  const fault = ruleFault(limit, windowMs, most);
  if (fault !== undefined) throw new InternalError(`counter rule: ${fault}`);
}

/** Throws InternalError unless cost is a whole number from 0 and time a number of milliseconds since the epoch. */
export function assertUse(cost: number, nowMs: number): void {
  if (!(Number.isSafeInteger(cost) && cost >= 0))
    throw new InternalError('counter cost is not a whole number');
  assertTime(nowMs);
}

/** As `assertUse`; what is told of rates is found where their counters are named. */
export function assertCharge(charge: Charge, nowMs: number): void {
  assertUse(charge.cost, nowMs);
  if (charge.kind === 'fixed-window') assertWindow(charge.rule, 0);
  else if (charge.kind === 'quota') assertWindow(charge.rule, charge.rule.carryOver);
}

/** Throws InternalError unless a sum can be added to. */
export function assertAmount(amount: number, nowMs: number): void {
  if (!(amount >= 0 && amount <= MAX_PRODUCT)) throw new InternalError('counter amount is no amount');
  assertTime(nowMs);
}

/** Throws InternalError unless it is a number of milliseconds since the epoch. */
export function assertTime(nowMs: number): void {
  if (!(nowMs >= 0 && nowMs <= Number.MAX_SAFE_INTEGER))
    throw new InternalError('counter time is not a time');
}

function assertWindow({ limit, startMs, endMs }: FixedWindowRule, carryOver: number): void {
  const isRule =
    isCount(limit) &&
    Number.isSafeInteger(startMs) &&
    startMs >= 0 &&
    Number.isSafeInteger(endMs) &&
    endMs > startMs &&
    Number.isSafeInteger(carryOver) &&
    carryOver >= 0 &&
    limit + carryOver <= MAX_PRODUCT;
  if (!isRule) throw new InternalError('counter rule: no window with a limit');
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
