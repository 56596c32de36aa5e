import type { GcraRule, LimitOutcome } from '../../contract/index.ts';
import { effectiveTime, IDLE_AT, idleAt, idleFrom, LEVEL, TIME } from './cells.ts';
import { outcomeOf } from './outcome.ts';

/**
 * Brings the counter at `cells[at]` to the time and says whether the rule admits `cost`, which `addGcra` then charges.
 * This is the Generic Cell Rate Algorithm in its continuous-state form (ITU-T I.371 Annex A: the leaky bucket,
 * equivalent to virtual scheduling). Everything is a whole number: a request adds `windowMs`, a millisecond takes
 * away `limit`, and the bucket holds `burst * windowMs`; so a limit of 7 a second is exact. `nowMs` is whole.
 */
export function askGcra(
  cells: Float64Array,
  at: number,
  rule: GcraRule,
  cost: number,
  nowMs: number,
): LimitOutcome {
  const timeMs = effectiveTime(cells[at + TIME], nowMs, rule.windowMs);
  const level = drain(cells, at, rule.limit, timeMs);
  keep(cells, at, rule, timeMs, level);
  return outcomeAt(level, rule, cost, timeMs - nowMs);
}

/** `askGcra`, and `addGcra` where it admits: for a counter that is charged alone, whose cells are written but once. */
export function chargeGcra(
  cells: Float64Array,
  at: number,
  rule: GcraRule,
  cost: number,
  nowMs: number,
): LimitOutcome {
  const timeMs = effectiveTime(cells[at + TIME], nowMs, rule.windowMs);
  const level = drain(cells, at, rule.limit, timeMs);
  const outcome = outcomeAt(level, rule, cost, timeMs - nowMs);
  keep(cells, at, rule, timeMs, outcome.allowed ? level + cost * rule.windowMs : level);
  return outcome;
}

function outcomeAt(level: number, rule: GcraRule, cost: number, behindMs: number): LimitOutcome {
  const { limit, windowMs, burst } = rule;
  const capacity = burst * windowMs;
  const wanted = level + cost * windowMs;
  const allowed = wanted <= capacity;
  const kept = allowed ? wanted : level;
  return outcomeOf(
    allowed,
    Math.floor((capacity - kept) / windowMs),
    allowed ? 0 : waitMs(cost > burst, behindMs + Math.ceil((wanted - capacity) / limit)),
    kept === 0 ? 0 : behindMs + Math.ceil(kept / limit),
  );
}

/** Charges what was asked for just before, under the same lock. */
export function addGcra(cells: Float64Array, at: number, rule: GcraRule, cost: number): void {
  keep(cells, at, rule, cells[at + TIME], cells[at + LEVEL] + cost * rule.windowMs);
}

/**
 * Gives back a charge of `chargedAtMs`, less what time since may have given back: had it never been charged, at least so
 * much more would be free now. What was charged by a clock that has been set back since is not given back: nobody
 * knows how much of it is left.
 */
export function refundGcra(
  cells: Float64Array,
  at: number,
  rule: GcraRule,
  cost: number,
  chargedAtMs: number,
  nowMs: number,
): void {
  const { limit, windowMs } = rule;
  const timeMs = effectiveTime(cells[at + TIME], nowMs, windowMs);
  if (timeMs < chargedAtMs) return;
  const owed = Math.max(0, cost * windowMs - (timeMs - chargedAtMs) * limit);
  keep(cells, at, rule, timeMs, Math.max(0, drain(cells, at, limit, timeMs) - owed));
}

/** More than the rule ever admits at once: no wait helps. */
const waitMs = (never: boolean, ms: number): number => (never ? Number.POSITIVE_INFINITY : ms);

/** What is still owed at that time. */
const drain = (cells: Float64Array, at: number, limit: number, timeMs: number): number =>
  Math.max(0, cells[at + LEVEL] - Math.max(0, timeMs - cells[at + TIME]) * limit);

function keep(cells: Float64Array, at: number, rule: GcraRule, timeMs: number, level: number): void {
  cells[at + TIME] = timeMs;
  cells[at + LEVEL] = level;
  cells[at + IDLE_AT] =
    level === 0 ? idleFrom(timeMs) : idleAt(timeMs + Math.ceil(level / rule.limit), rule.windowMs);
}
