import { type FixedWindowRule, type LimitOutcome, REMEMBERED_WINDOWS } from '../../contract/index.ts';
import { IDLE_AT, idleAt, idleFrom, LEVEL, PREVIOUS, TIME } from './cells.ts';
import { outcomeOf } from './outcome.ts';

/** PREVIOUS of a counter that was as one never charged when its window began: nothing was left before it. */
const NEW = -1;

/**
 * Brings the counter at `cells[at]` to the time and says whether the rule admits `cost`, which `addFixedWindow` then
 * charges: at most `limit` and what was carried over, from `startMs` to `endMs`. A clock set back by no more than a
 * window goes on in the later window, which nobody is to have twice.
 */
export function askFixedWindow(
  cells: Float64Array,
  at: number,
  rule: FixedWindowRule,
  carryOver: number,
  cost: number,
  nowMs: number,
): LimitOutcome {
  const endMs = roll(cells, at, rule, carryOver, nowMs);
  const used = cells[at + LEVEL];
  const most = rule.limit + carriedOver(cells, at);
  // A limit that was lowered leaves less than nothing; to ask is always admitted.
  const allowed = cost === 0 || used + cost <= most;
  const kept = allowed ? used + cost : used;
  const endsInMs = Math.max(0, endMs - nowMs);
  return outcomeOf(
    allowed,
    Math.max(0, most - kept),
    allowed ? 0 : retryMs(cells, at, rule.limit, carryOver, cost, endsInMs),
    kept === 0 ? 0 : endsInMs,
  );
}

/** Charges what was asked for just before, under the same lock. */
export function addFixedWindow(
  cells: Float64Array,
  at: number,
  rule: FixedWindowRule,
  carryOver: number,
  cost: number,
): void {
  // Who only asks is not remembered for it.
  if (cost === 0) return;
  cells[at + LEVEL] += cost;
  keepLonger(cells, at, endOf(cells, at, rule), rule.endMs - rule.startMs, carryOver);
}

/**
 * Gives back what was charged by that rule, where its window is still the one that is counted in. One that was new and
 * holds nothing any more is new again.
 */
export function refundFixedWindow(
  cells: Float64Array,
  at: number,
  rule: FixedWindowRule,
  cost: number,
  chargedAtMs: number,
  nowMs: number,
): void {
  if (cells[at + TIME] !== rule.startMs || chargedAtMs < rule.startMs) return;
  const used = Math.max(0, cells[at + LEVEL] - cost);
  cells[at + LEVEL] = used;
  if (used === 0 && cells[at + PREVIOUS] === NEW) cells[at + IDLE_AT] = idleFrom(nowMs);
}

/** What was carried over into the window that is counted in. */
export const carriedOver = (cells: Float64Array, at: number): number => Math.max(0, cells[at + PREVIOUS]);

/** A window as it is to be counted in from now on. */
export interface CountedWindow {
  readonly startMs: number;
  readonly endMs: number;
  readonly used: number;
  readonly carried: number;
}

/** Sets the counter, whatever it stood at. */
export function setFixedWindow(
  cells: Float64Array,
  at: number,
  { startMs, endMs, used, carried }: CountedWindow,
  carryOver: number,
): void {
  cells[at + TIME] = startMs;
  cells[at + LEVEL] = used;
  cells[at + PREVIOUS] = carried;
  cells[at + IDLE_AT] = 0;
  keepLonger(cells, at, endMs, endMs - startMs, carryOver);
}

/** Moves the counter on to the window that is to be counted in, and returns when that one ends. */
function roll(
  cells: Float64Array,
  at: number,
  rule: FixedWindowRule,
  carryOver: number,
  nowMs: number,
): number {
  const { startMs, endMs } = rule;
  const lastMs = cells[at + TIME];
  const isKnown = lastMs !== 0 && cells[at + IDLE_AT] > nowMs;
  const isCurrent = isKnown && lastMs >= startMs && lastMs - startMs <= endMs - startMs;
  if (isCurrent) return endOf(cells, at, rule);
  const carried = isKnown && lastMs < startMs ? carriedInto(cells, at, rule, carryOver) : undefined;
  cells[at + TIME] = startMs;
  cells[at + LEVEL] = 0;
  cells[at + PREVIOUS] = carried ?? NEW;
  cells[at + IDLE_AT] = idleFrom(nowMs);
  // Also without anything carried: that somebody came before is remembered.
  if (carried !== undefined) keepLonger(cells, at, endMs, endMs - startMs, carryOver);
  return endMs;
}

/** What the window before leaves for this one; undefined where nothing is remembered that could leave something. */
function carriedInto(
  cells: Float64Array,
  at: number,
  { limit, startMs, endMs }: FixedWindowRule,
  carryOver: number,
): number | undefined {
  if (carryOver === 0) return undefined;
  // Rounded, since months and days of a time zone are not of one length.
  const windows = Math.round((startMs - cells[at + TIME]) / (endMs - startMs));
  if (windows > REMEMBERED_WINDOWS) return undefined;
  const left = Math.max(0, limit + carriedOver(cells, at) - cells[at + LEVEL]);
  return Math.min(carryOver, left + Math.max(0, windows - 1) * limit);
}

/** When the window that is counted in ends: the rule's, or a later one after the clock was set back. */
const endOf = (cells: Float64Array, at: number, { startMs, endMs }: FixedWindowRule): number =>
  endMs + cells[at + TIME] - startMs;

/** Keeps the counter for its window and, where something may be carried over, for those that it may be carried into. */
function keepLonger(
  cells: Float64Array,
  at: number,
  endMs: number,
  lengthMs: number,
  carryOver: number,
): void {
  const untilMs = carryOver > 0 ? endMs + REMEMBERED_WINDOWS * lengthMs : endMs;
  cells[at + IDLE_AT] = Math.max(cells[at + IDLE_AT], idleAt(untilMs, lengthMs));
}

/**
 * The next window, where it will admit so much. What is more than its limit waits for what is carried into it; where
 * that is not enough, no wait that could be told would do.
 */
function retryMs(
  cells: Float64Array,
  at: number,
  limit: number,
  carryOver: number,
  cost: number,
  endsInMs: number,
): number {
  const isNew = cells[at + PREVIOUS] === NEW && cells[at + LEVEL] === 0;
  const left = isNew ? 0 : limit + carriedOver(cells, at) - cells[at + LEVEL];
  const next = limit + Math.min(carryOver, Math.max(0, left));
  return cost > next ? Number.POSITIVE_INFINITY : endsInMs;
}
