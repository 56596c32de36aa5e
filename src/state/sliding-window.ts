import type { LimitOutcome, SlidingWindowRule } from '../contract/index.ts';
import { effectiveTime, IDLE_AT, idleAt, LEVEL, PREVIOUS, TIME } from './cells.ts';

/**
 * Charges `cost` to the counter at `cells[at]`, if the rule admits it: the requests of the window before,
 * weighted by how much of it still lies within `windowMs` from now, plus those of the current one, must stay
 * within `limit`. Windows are aligned to the epoch. No aligned window admits more than `limit`; since the
 * requests of the window before are taken as evenly spread, any other stretch of that length admits less
 * than twice `limit`. `nowMs` is whole.
 */
export function applySlidingWindow(
  cells: Float64Array,
  at: number,
  rule: SlidingWindowRule,
  cost: number,
  nowMs: number,
): LimitOutcome {
  const { limit, windowMs } = rule;
  const timeMs = effectiveTime(cells[at + TIME], nowMs, windowMs);
  roll(cells, at, timeMs - (timeMs % windowMs), windowMs);
  const startMs = cells[at + TIME];
  const elapsedMs = timeMs - startMs;
  const previous = cells[at + PREVIOUS];
  const carried = previous * (windowMs - elapsedMs);
  const wanted = cells[at + LEVEL] + cost;
  const allowed = carried + wanted * windowMs <= limit * windowMs;
  if (allowed) cells[at + LEVEL] = wanted;
  const current = cells[at + LEVEL];
  const endsMs = startMs + (current > 0 ? 2 : previous > 0 ? 1 : 0) * windowMs;
  cells[at + IDLE_AT] = idleAt(endsMs, windowMs);
  return {
    allowed,
    remaining: Math.max(0, Math.floor((limit * windowMs - carried) / windowMs) - current),
    retryAfterMs: allowed ? 0 : startMs - nowMs + admittedFromMs(rule, previous, current, cost),
    resetMs: Math.max(0, endsMs - nowMs),
  };
}

/** Moves the counts on to the window that began at `startMs`. A clock set back keeps the counts as they are. */
function roll(cells: Float64Array, at: number, startMs: number, windowMs: number): void {
  const lastMs = cells[at + TIME];
  if (startMs > lastMs) {
    cells[at + PREVIOUS] = startMs - lastMs === windowMs ? cells[at + LEVEL] : 0;
    cells[at + LEVEL] = 0;
  }
  cells[at + TIME] = startMs;
}

/** Milliseconds from the start of the current window until `cost` more would be admitted. */
function admittedFromMs(
  { limit, windowMs }: SlidingWindowRule,
  previous: number,
  current: number,
  cost: number,
): number {
  if (cost > limit) return Number.POSITIVE_INFINITY;
  const room = limit - current - cost;
  if (room >= 0) return windowMs - Math.floor((room * windowMs) / previous);
  return 2 * windowMs - Math.floor(((limit - cost) * windowMs) / current);
}
