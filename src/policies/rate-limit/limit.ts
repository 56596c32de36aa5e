import type { Charge, FixedWindowRule, GcraRule, SlidingWindowRule } from '../../contract/index.ts';

export type Algorithm = 'gcra' | 'token-bucket' | 'fixed-window' | 'sliding-window';

/** One limit with every default filled in. It is the rule of its counter as well, so that none is made per request. */
export interface Limit extends GcraRule, SlidingWindowRule {
  readonly name: string;
  readonly algorithm: Algorithm;
  /** The most admitted at once: for windows their limit. */
  readonly burst: number;
  /** As the document says it, for people. */
  readonly window: string;
}

/** What one request is charged at `nowMs`. */
export function chargeOf(limit: Limit, scope: string, key: string, cost: number, nowMs: number): Charge {
  switch (limit.algorithm) {
    case 'gcra':
    // A bucket that `limit` tokens run into each window is the leaky bucket of GCRA seen from the other side: what is
    // missing of one is what is in the other.
    case 'token-bucket':
      return { kind: 'gcra', scope, key, cost, rule: limit };
    case 'sliding-window':
      return { kind: 'sliding-window', scope, key, cost, rule: limit };
    case 'fixed-window':
      return { kind: 'fixed-window', scope, key, cost, rule: fixedWindow(limit, nowMs) };
  }
}

/** The window of the clock: whole ones from the epoch on, so that minutes, hours and days are those of UTC. */
function fixedWindow({ limit, windowMs, counting, onLoss, unproven }: Limit, nowMs: number): FixedWindowRule {
  const startMs = Math.floor(nowMs / windowMs) * windowMs;
  return { limit, startMs, endMs: startMs + windowMs, counting, onLoss, unproven };
}
