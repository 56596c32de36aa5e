import type { GcraRule, LimitOutcome } from '../contract/index.ts';
import { effectiveTime, IDLE_AT, idleAt, LEVEL, TIME } from './cells.ts';

/**
 * Charges `cost` to the counter at `cells[at]`, if the rule admits it. This is the Generic Cell Rate Algorithm
 * in its continuous-state form (ITU-T I.371 Annex A: the leaky bucket, equivalent to virtual scheduling).
 * Everything is a whole number: a request adds `windowMs`, a millisecond takes away `limit`, and the bucket
 * holds `burst * windowMs`; so a limit of 7 a second is exact. `nowMs` is whole. Dry, nothing is charged.
 */
export function applyGcra(
  cells: Float64Array,
  at: number,
  rule: GcraRule,
  cost: number,
  nowMs: number,
  isDry = false,
): LimitOutcome {
  const { limit, windowMs, burst } = rule;
  const lastMs = cells[at + TIME];
  const timeMs = effectiveTime(lastMs, nowMs, windowMs);
  const elapsedMs = Math.max(0, timeMs - lastMs);
  const level = Math.max(0, cells[at + LEVEL] - elapsedMs * limit);
  const capacity = burst * windowMs;
  const wanted = level + cost * windowMs;
  const allowed = wanted <= capacity;
  const kept = allowed ? wanted : level;
  const drainMs = Math.ceil(kept / limit);
  if (!isDry) {
    cells[at + TIME] = timeMs;
    cells[at + LEVEL] = kept;
    cells[at + IDLE_AT] = idleAt(timeMs + drainMs, windowMs);
  }
  const behindMs = timeMs - nowMs;
  return {
    allowed,
    remaining: Math.floor((capacity - kept) / windowMs),
    retryAfterMs: allowed ? 0 : waitMs(cost > burst, behindMs + Math.ceil((wanted - capacity) / limit)),
    resetMs: kept === 0 ? 0 : behindMs + drainMs,
  };
}

/** More than the rule ever admits at once: no wait helps. */
const waitMs = (never: boolean, ms: number): number => (never ? Number.POSITIVE_INFINITY : ms);

/**
 * Gives back a charge of `chargedAtMs`, less what time since may have given back: had it never been charged, at least so
 * much more would be free now.
 */
export function refundGcra(
  cells: Float64Array,
  at: number,
  { limit, windowMs }: GcraRule,
  cost: number,
  chargedAtMs: number,
  nowMs: number,
): void {
  const lastMs = cells[at + TIME];
  const timeMs = effectiveTime(lastMs, nowMs, windowMs);
  const level = Math.max(0, cells[at + LEVEL] - Math.max(0, timeMs - lastMs) * limit);
  const owed = Math.max(0, cost * windowMs - Math.max(0, timeMs - chargedAtMs) * limit);
  const kept = Math.max(0, level - owed);
  cells[at + TIME] = timeMs;
  cells[at + LEVEL] = kept;
  cells[at + IDLE_AT] = idleAt(timeMs + Math.ceil(kept / limit), windowMs);
}
