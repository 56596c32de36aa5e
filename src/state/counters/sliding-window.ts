import type { LimitOutcome, SlidingWindowRule } from '../../contract/index.ts';
import { effectiveTime, IDLE_AT, idleAt, idleFrom, LEVEL, PREVIOUS, TIME } from './cells.ts';
import { outcomeOf } from './outcome.ts';

/**
 * Brings the counter at `cells[at]` to the time and says whether the rule admits `cost`, which `addSlidingWindow` then
 * charges: the requests of the window before, weighted by how much of it still lies within `windowMs` from now,
 * plus those of the current one, must stay within `limit`. Windows are aligned to the epoch. No aligned window
 * admits more than `limit`; since the requests of the window before are taken as evenly spread, any other stretch of
 * that length admits less than twice `limit`. `nowMs` is whole.
 */
export function askSlidingWindow(
  cells: Float64Array,
  at: number,
  rule: SlidingWindowRule,
  cost: number,
  nowMs: number,
): LimitOutcome {
  const { limit, windowMs } = rule;
  const timeMs = roll(cells, at, windowMs, nowMs);
  const startMs = cells[at + TIME];
  const previous = cells[at + PREVIOUS];
  const carried = previous * (windowMs - (timeMs - startMs));
  const wanted = cells[at + LEVEL] + cost;
  // A clock set back may leave less than nothing; to ask is always admitted.
  const allowed = cost === 0 || carried + wanted * windowMs <= limit * windowMs;
  const current = allowed ? wanted : cells[at + LEVEL];
  return outcomeOf(
    allowed,
    Math.max(0, Math.floor((limit * windowMs - carried) / windowMs) - current),
    allowed ? 0 : startMs - nowMs + admittedFromMs(rule, previous, current, cost),
    Math.max(0, startMs + countedWindows(previous, current) * windowMs - nowMs),
  );
}

/** Charges what was asked for just before, under the same lock. */
export function addSlidingWindow(cells: Float64Array, at: number, windowMs: number, cost: number): void {
  cells[at + LEVEL] += cost;
  forgetLater(cells, at, windowMs);
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
  roll(cells, at, windowMs, nowMs);
  const behindMs = cells[at + TIME] - (chargedAtMs - (chargedAtMs % windowMs));
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
  const timeMs = roll(cells, at, windowMs, nowMs);
  addSlidingWindow(cells, at, windowMs, amount);
  const elapsedMs = timeMs - cells[at + TIME];
  return cells[at + LEVEL] + (cells[at + PREVIOUS] * (windowMs - elapsedMs)) / windowMs;
}

/**
 * Moves the counts on to the window of the time, which is returned. A clock set back by more than a window keeps the
 * counts as they are.
 */
function roll(cells: Float64Array, at: number, windowMs: number, nowMs: number): number {
  const lastMs = cells[at + TIME];
  const timeMs = effectiveTime(lastMs, nowMs, windowMs);
  const startMs = timeMs - (timeMs % windowMs);
  if (startMs > lastMs) {
    cells[at + PREVIOUS] = startMs - lastMs === windowMs ? cells[at + LEVEL] : 0;
    cells[at + LEVEL] = 0;
  }
  cells[at + TIME] = startMs;
  forgetLater(cells, at, windowMs);
  if (cells[at + LEVEL] === 0 && cells[at + PREVIOUS] === 0) cells[at + IDLE_AT] = idleFrom(timeMs);
  return timeMs;
}

/** From the start of the current window, in how many the counts still mean something. */
const countedWindows = (previous: number, current: number): number =>
  current > 0 ? 2 : previous > 0 ? 1 : 0;

/** Says from when on the counts mean nothing. */
function forgetLater(cells: Float64Array, at: number, windowMs: number): void {
  const windows = countedWindows(cells[at + PREVIOUS], cells[at + LEVEL]);
  cells[at + IDLE_AT] = idleAt(cells[at + TIME] + windows * windowMs, windowMs);
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
