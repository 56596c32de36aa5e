import type { LimitOutcome } from '../../contract/index.ts';

/** The only place that makes an outcome of a counter. */
export const outcomeOf = (
  allowed: boolean,
  remaining: number,
  retryAfterMs: number,
  resetMs: number,
): LimitOutcome => ({ allowed, remaining, retryAfterMs, resetMs });

/**
 * The first one of a thread, which shows V8 that all its numbers may be fractions, and is kept so that it remembers. It
 * would else find out later, keep two shapes of outcomes and convert one into the other at each use: eight limits of
 * two kinds then took 4 µs, not 1.
 */
export const FIRST_OUTCOME: LimitOutcome = outcomeOf(false, 0.5, Number.POSITIVE_INFINITY, 0.5);
