import type { Awaitable } from './deps.ts';

/** Generic Cell Rate Algorithm (ITU-T I.371): `limit` per `windowMs`, `burst` at once. */
export interface GcraRule {
  readonly limit: number;
  readonly windowMs: number;
  /** Requests admitted at once by an idle key; default is `limit`. */
  readonly burst: number;
}

/** Sliding window by two weighted fixed windows: at most `limit` per `windowMs`. */
export interface SlidingWindowRule {
  readonly limit: number;
  readonly windowMs: number;
}

export interface LimitOutcome {
  readonly allowed: boolean;
  /** Whole requests still admitted now. */
  readonly remaining: number;
  /** Until the same request would be admitted; 0 when allowed. A client that waits so long gets through. */
  readonly retryAfterMs: number;
  /** Until the key is as good as new. */
  readonly resetMs: number;
}

/**
 * Counters shared by every worker of a node (and, with a server behind it, of a fleet). `scope` is the
 * attachment's id, `key` the caller's; together they name one counter. Exact: under any interleaving no
 * window admits more than the rule says. `nowMs` comes from the evaluation's clock.
 */
export interface CounterState {
  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): Awaitable<LimitOutcome>;
  slidingWindow(
    scope: string,
    key: string,
    rule: SlidingWindowRule,
    cost: number,
    nowMs: number,
  ): Awaitable<LimitOutcome>;
}
