import type { PolicyContext } from './policy.ts';

/** Those who waited for longer are counted by the clock, however long the window. */
const LONGEST_MS = 1000;

/**
 * The time to count a request by, in milliseconds since the epoch. Mostly when it came, so that a record of it tells all.
 * But it may have waited since: for a place, for a hash, for somebody asked. Where that is longer than the shortest of the
 * windows (`windowMs`), it would set the counter's clock back, and the next in time would find all of it given back: who
 * has requests wait would have no limit. Then it is the time now.
 */
export function countingTime({ now: cameMs, deps: { clock } }: PolicyContext, windowMs: number): number {
  const nowMs = clock.now();
  const waitedMs = nowMs - cameMs;
  return waitedMs >= 0 && waitedMs < Math.min(windowMs, LONGEST_MS) ? cameMs : nowMs;
}
