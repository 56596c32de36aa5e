/**
 * The state of one counter: four doubles in a typed array, laid out alike for shared and for local memory, so
 * that live traffic and replay run the very same arithmetic. All-zero cells are a key never seen.
 */
export const CELLS_PER_KEY = 4;

/** GCRA: when LEVEL was true. Windows: when the current one began. Milliseconds since the epoch. */
export const TIME = 0;
/** GCRA: what is owed, in requests times the window's milliseconds. Windows: what the current one was charged. */
export const LEVEL = 1;
/** Sliding window: what the window before was charged. Quota: what it left for the current one, or -1. */
export const PREVIOUS = 2;
/** From when on the cells mean the same as zeros and may be forgotten. Milliseconds since the epoch. */
export const IDLE_AT = 3;

/** How much longer than needed a key is kept, since the threads' clocks are not read at one instant. */
const LONGEST_GRACE_MS = 1000;

/** A key stamped further ahead than this was stamped by a clock that has since been set back. */
const CLOCK_SET_BACK_MS = 60_000;

/** IDLE_AT for cells that mean nothing any more from `expiresAtMs` on. */
export const idleAt = (expiresAtMs: number, windowMs: number): number =>
  expiresAtMs + Math.min(windowMs, LONGEST_GRACE_MS);

/** IDLE_AT for cells that mean nothing already. At `timeMs` itself they are not given away: they may be charged next. */
export const idleFrom = (timeMs: number): number => timeMs + 1;

export function clear(cells: Float64Array, at: number): void {
  cells[at + TIME] = 0;
  cells[at + LEVEL] = 0;
  cells[at + PREVIOUS] = 0;
  cells[at + IDLE_AT] = 0;
}

/** Whether the cells may be forgotten: they equal a fresh key's, or a clock set back left them in the future. */
export function isIdle(cells: Float64Array, at: number, nowMs: number): boolean {
  return cells[at + IDLE_AT] <= nowMs || cells[at + TIME] - nowMs > CLOCK_SET_BACK_MS;
}

/**
 * The time to count with. Time never runs backwards within a window: threads read the clock a little apart,
 * and draining a counter twice for one stretch of time would admit too much. A clock set back by more than a
 * window is believed, else the key would wait for the lost time to pass again.
 */
export function effectiveTime(lastMs: number, nowMs: number, windowMs: number): number {
  return lastMs > nowMs && lastMs - nowMs <= windowMs ? lastMs : nowMs;
}
