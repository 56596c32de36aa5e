import { InternalError } from '../errors.ts';

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
  if (!(nowMs >= 0 && nowMs <= Number.MAX_SAFE_INTEGER))
    throw new InternalError('counter time is not a time');
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
