import type { FixedWindowRule, LimitOutcome } from '../contract/index.ts';
import { IDLE_AT, idleAt, LEVEL, PREVIOUS, TIME } from './cells.ts';

/** A window that began more than so many of its lengths after the last was not the next one: nobody came in between. */
const SKIPPED = 1.5;

/** What a counter stands at in the window that the rule names. */
export interface Standing {
  readonly startMs: number;
  readonly endMs: number;
  readonly used: number;
  /** What the window before left for this one. */
  readonly carried: number;
}

/**
 * Charges `cost` to the counter at `cells[at]`, if the rule admits it: at most `limit` and what was carried over, from
 * `startMs` to `endMs`. A clock set back by no more than a window goes on in the later window, which nobody is to have
 * twice. PREVIOUS holds what was carried over. Dry, nothing is charged.
 */
export function applyFixedWindow(
  cells: Float64Array,
  at: number,
  rule: FixedWindowRule,
  carryOver: number,
  cost: number,
  nowMs: number,
  isDry = false,
): LimitOutcome {
  const now = standing(cells, at, rule, carryOver);
  const most = rule.limit + now.carried;
  const allowed = now.used + cost <= most;
  const used = allowed ? now.used + cost : now.used;
  if (!isDry) keepFixedWindow(cells, at, { ...now, used }, carryOver);
  const endsInMs = Math.max(0, now.endMs - nowMs);
  return {
    allowed,
    remaining: Math.max(0, most - used),
    retryAfterMs: allowed ? 0 : cost > rule.limit + carryOver ? Number.POSITIVE_INFINITY : endsInMs,
    resetMs: used === 0 ? 0 : endsInMs,
  };
}

/** Gives back a charge of `chargedAtMs`, where its window is still the current one. */
export function refundFixedWindow(
  cells: Float64Array,
  at: number,
  rule: FixedWindowRule,
  carryOver: number,
  cost: number,
  chargedAtMs: number,
): void {
  const now = standing(cells, at, rule, carryOver);
  if (chargedAtMs < now.startMs) return;
  keepFixedWindow(cells, at, { ...now, used: Math.max(0, now.used - cost) }, carryOver);
}

function standing(cells: Float64Array, at: number, rule: FixedWindowRule, carryOver: number): Standing {
  const { limit, startMs, endMs } = rule;
  const lastMs = cells[at + TIME];
  const lengthMs = endMs - startMs;
  const used = cells[at + LEVEL];
  const carried = cells[at + PREVIOUS];
  if (lastMs === startMs) return { startMs, endMs, used, carried };
  // Set back: the window that was counted last goes on.
  if (lastMs > startMs && lastMs - startMs <= lengthMs)
    return { startMs: lastMs, endMs: lastMs + lengthMs, used, carried };
  if (lastMs === 0 || lastMs > startMs) return { startMs, endMs, used: 0, carried: 0 };
  const isNext = startMs - lastMs <= lengthMs * SKIPPED;
  const left = isNext ? limit + carried - used : limit;
  return { startMs, endMs, used: 0, carried: Math.max(0, Math.min(carryOver, left)) };
}

/** Sets the counter to that. */
export function keepFixedWindow(cells: Float64Array, at: number, now: Standing, carryOver: number): void {
  cells[at + TIME] = now.startMs;
  cells[at + LEVEL] = now.used;
  cells[at + PREVIOUS] = now.carried;
  const lengthMs = now.endMs - now.startMs;
  // What it leaves is still to be carried into the next.
  cells[at + IDLE_AT] = idleAt(carryOver > 0 ? now.endMs + lengthMs : now.endMs, lengthMs);
}
