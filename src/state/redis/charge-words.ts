import type { Charge, LimitOutcome } from '../../contract/index.ts';
import type { StoreAnswer, StoreWord } from './script-store.ts';
import { NUMBERS_OF_AN_OUTCOME } from './scripts.ts';
import type { StoreClock } from './store-clock.ts';

/** A charge as the scripts read it: a kind and five numbers. */
export function addWords(words: StoreWord[], charge: Charge, cost = charge.cost): void {
  switch (charge.kind) {
    case 'gcra':
      return void words.push('g', cost, charge.rule.limit, charge.rule.windowMs, charge.rule.burst, 0);
    case 'sliding-window':
      return void words.push('s', cost, charge.rule.limit, charge.rule.windowMs, 0, 0);
    case 'fixed-window':
      return void words.push('f', cost, charge.rule.limit, charge.rule.startMs, charge.rule.endMs, 0);
    case 'quota': {
      const { limit, startMs, endMs, carryOver } = charge.rule;
      return void words.push('f', cost, limit, startMs, endMs, carryOver);
    }
  }
}

/** For how many requests the rule has room at most. */
export const mostOf = (charge: Charge): number =>
  charge.kind === 'gcra' ? charge.rule.burst : charge.rule.limit;

const NEVER = -1;

/** Whole numbers from -1, or undefined where the answer is something else: then nobody knows what was counted. */
export function numbersOf(answer: StoreAnswer | undefined, least: number): readonly number[] | undefined {
  if (!Array.isArray(answer) || answer.length < least) return undefined;
  const numbers: number[] = [];
  for (const one of answer) {
    if (typeof one !== 'number' || !Number.isSafeInteger(one) || one < NEVER) return undefined;
    numbers.push(one);
  }
  return numbers;
}

/** The outcome that begins at `numbers[at]`. */
export function outcomeAt(numbers: readonly number[], at: number): LimitOutcome {
  const retry = numbers[at + 2];
  return {
    allowed: numbers[at] === 1,
    remaining: numbers[at + 1],
    retryAfterMs: retry === NEVER ? Number.POSITIVE_INFINITY : retry,
    resetMs: numbers[at + 3],
  };
}

/** The outcomes of `count` charges, or undefined where the answer is none. `clock` hears the time. */
export function outcomesOf(
  answer: StoreAnswer | undefined,
  count: number,
  clock: StoreClock,
): LimitOutcome[] | undefined {
  const numbers = numbersOf(answer, count * NUMBERS_OF_AN_OUTCOME + 1);
  if (numbers === undefined) return undefined;
  clock.heard(numbers[count * NUMBERS_OF_AN_OUTCOME]);
  return Array.from({ length: count }, (_, i) => outcomeAt(numbers, i * NUMBERS_OF_AN_OUTCOME));
}
