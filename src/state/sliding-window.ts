import type { LimitOutcome, SlidingWindowRule } from '../contract/index.ts';
import { effectiveTime, IDLE_AT, idleAt, LEVEL, PREVIOUS, TIME } from './cells.ts';

/**
 * Charges `cost` to the counter at `cells[at]`, if the rule admits it: the requests of the window before,
 * weighted by how much of it still lies within `windowMs` from now, plus those of the current one, must stay
 * within `limit`. Windows are aligned to the epoch. No aligned window admits more than `limit`; since the
 * requests of the window before are taken as evenly spread, any other stretch of that length admits less
 * than twice `limit`. `nowMs` is whole. Dry, nothing is charged.
 */
export function applySlidingWindow(
  cells: Float64Array,
  at: number,
  rule: SlidingWindowRule,
  cost: number,
  nowMs: number,
  isDry = false,
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
  if (allowed && !isDry) cells[at + LEVEL] = wanted;
  const current = allowed ? wanted : cells[at + LEVEL];
  const endsMs = forgetLater(cells, at, windowMs);
  return {
    allowed,
    remaining: Math.max(0, Math.floor((limit * windowMs - carried) / windowMs) - current),
    retryAfterMs: allowed ? 0 : startMs - nowMs + admittedFromMs(rule, previous, current, cost),
    resetMs: Math.max(0, endsMs - nowMs),
  };
}

/** Gives back a charge of `chargedAtMs`, where its window still counts. */
export function refundSlidingWindow(
  cells: Float64Array,
  at: number,
  { windowMs }: SlidingWindowRule,
  cost: number,
  chargedAtMs: number,
  nowMs: number,
): void {
  const timeMs = effectiveTime(cells[at + TIME], nowMs, windowMs);
  roll(cells, at, timeMs - (timeMs % windowMs), windowMs);
  const chargedMs = chargedAtMs - (chargedAtMs % windowMs);
  const behindMs = cells[at + TIME] - chargedMs;
  if (behindMs === 0) cells[at + LEVEL] = Math.max(0, cells[at + LEVEL] - cost);
  else if (behindMs === windowMs) cells[at + PREVIOUS] = Math.max(0, cells[at + PREVIOUS] - cost);
  forgetLater(cells, at, windowMs);
}

/** Adds `amount`, whatever there is already; what the last `windowMs` come to, weighted as above. */
export function applyTally(
  cells: Float64Array,
  at: number,
  windowMs: number,
  amount: number,
  nowMs: number,
): number {
  const timeMs = effectiveTime(cells[at + TIME], nowMs, windowMs);
  roll(cells, at, timeMs - (timeMs % windowMs), windowMs);
  cells[at + LEVEL] += amount;
  forgetLater(cells, at, windowMs);
  const elapsedMs = timeMs - cells[at + TIME];
  return cells[at + LEVEL] + (cells[at + PREVIOUS] * (windowMs - elapsedMs)) / windowMs;
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

/** Says from when on the counts mean nothing, which is until when they do. */
function forgetLater(cells: Float64Array, at: number, windowMs: number): number {
  const windows = cells[at + LEVEL] > 0 ? 2 : cells[at + PREVIOUS] > 0 ? 1 : 0;
  const endsMs = cells[at + TIME] + windows * windowMs;
  cells[at + IDLE_AT] = idleAt(endsMs, windowMs);
  return endsMs;
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
