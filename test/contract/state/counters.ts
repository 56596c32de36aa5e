/** What the parts of the contract of counters share: counters of every kind as one description. */
import fc from 'fast-check';
import type { Awaitable, Charge, CounterState, LimitOutcome } from '../../../src/contract/index.ts';

/** Gives counters that know no key. */
export type Create = () => Awaitable<CounterState>;

export interface Effort {
  /** Share of the runs of each property, for counters that each ask takes a journey to. Default 1. */
  readonly share?: number;
}

export const runsOf = (runs: number, { share = 1 }: Effort): number => Math.max(10, Math.round(runs * share));

export const START = 1_800_000_000_000;
export const SCOPE = 'route:orders/rate-limit';

/** A counter of any kind; windows are aligned to the epoch. */
export type Spec =
  | {
      readonly kind: 'gcra';
      readonly limit: number;
      readonly windowMs: number;
      readonly burst: number;
    }
  | { readonly kind: 'sliding-window'; readonly limit: number; readonly windowMs: number }
  | { readonly kind: 'fixed-window'; readonly limit: number; readonly windowMs: number }
  | {
      readonly kind: 'quota';
      readonly limit: number;
      readonly windowMs: number;
      readonly carryOver: number;
    };

export interface Use {
  readonly scope?: string;
  readonly key?: string;
  readonly cost?: number;
}

/** The charge of one request at that time. */
export function chargeOf(
  spec: Spec,
  nowMs: number,
  { scope = SCOPE, key = 'k', cost = 1 }: Use = {},
): Charge {
  const { limit, windowMs } = spec;
  const startMs = Math.floor(nowMs / windowMs) * windowMs;
  const window = { limit, startMs, endMs: startMs + windowMs };
  switch (spec.kind) {
    case 'gcra':
      return { kind: 'gcra', scope, key, cost, rule: { limit, windowMs, burst: spec.burst } };
    case 'sliding-window':
      return { kind: 'sliding-window', scope, key, cost, rule: { limit, windowMs } };
    case 'fixed-window':
      return { kind: 'fixed-window', scope, key, cost, rule: window };
    case 'quota':
      return { kind: 'quota', scope, key, cost, rule: { ...window, carryOver: spec.carryOver } };
  }
}

export async function chargeOne(state: CounterState, charge: Charge, nowMs: number): Promise<LimitOutcome> {
  const [outcome] = await state.charge([charge], nowMs);
  return outcome;
}

/** What is left of the counter, asked without changing it. */
export async function remaining(
  state: CounterState,
  spec: Spec,
  nowMs: number,
  use: Use = {},
): Promise<number> {
  return (await chargeOne(state, chargeOf(spec, nowMs, { ...use, cost: 0 }), nowMs)).remaining;
}

/** Admitted at once by a counter that was never charged. */
export const mostAtOnce = (spec: Spec): number => (spec.kind === 'gcra' ? spec.burst : spec.limit);

/** One of each kind, with the same limit. */
export const ONE_OF_EACH: readonly Spec[] = [
  { kind: 'gcra', limit: 10, windowMs: 1000, burst: 10 },
  { kind: 'sliding-window', limit: 10, windowMs: 1000 },
  { kind: 'fixed-window', limit: 10, windowMs: 1000 },
  { kind: 'quota', limit: 10, windowMs: 1000, carryOver: 0 },
];

const limits = fc.integer({ min: 1, max: 20 });
const windows = fc.constantFrom(1, 7, 100, 1000, 60_000);

export const specs: fc.Arbitrary<Spec> = fc.oneof(
  fc.record({
    kind: fc.constant('gcra' as const),
    limit: limits,
    windowMs: windows,
    burst: fc.integer({ min: 1, max: 25 }),
  }),
  fc.record({ kind: fc.constant('sliding-window' as const), limit: limits, windowMs: windows }),
  fc.record({ kind: fc.constant('fixed-window' as const), limit: limits, windowMs: windows }),
  fc.record({
    kind: fc.constant('quota' as const),
    limit: limits,
    windowMs: windows,
    carryOver: fc.integer({ min: 0, max: 25 }),
  }),
);
