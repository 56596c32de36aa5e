import type {
  Awaitable,
  Charge,
  Clock,
  CounterState,
  LimitOutcome,
  SlotOutcome,
  SlotRule,
  Sum,
  SumRule,
  Waiter,
} from '../../contract/index.ts';
import { mostOf } from './charge-words.ts';

/** When to try again while the store is lost and nobody knows better. */
const RETRY_MS = 1000;

/** How many nodes share a limit, as was known last; at least 1. */
export interface FleetSize {
  readonly nodes: number;
  readonly workers: number;
}

/** What counts while the store does not: each rule says which of three ways. */
export class AfterLoss {
  readonly #memory: CounterState;
  readonly #fleet: FleetSize;
  readonly #clock: Clock;
  /** Monotonic; when something was last decided here, and since when it always was. */
  #lastMs = Number.NEGATIVE_INFINITY;
  #sinceMs = Number.POSITIVE_INFINITY;

  constructor(memory: CounterState, fleet: FleetSize, clock: Clock) {
    this.#memory = memory;
    this.#fleet = fleet;
    this.#clock = clock;
  }

  one(charge: Charge, nowMs: number): Awaitable<LimitOutcome> {
    const outcomes = this.all([charge], nowMs);
    return outcomes instanceof Promise ? outcomes.then(([first]) => first) : outcomes[0];
  }

  /** All or none, as with the store. */
  all(charges: readonly Charge[], nowMs: number): Awaitable<readonly LimitOutcome[]> {
    this.#note();
    const isClosed = charges.some(({ rule }) => rule.onLoss === 'closed');
    const local = charges
      .filter(({ rule }) => isLocal(rule.onLoss))
      // Where one refuses, none is charged.
      .map((charge) => this.#share(isClosed ? { ...charge, cost: 0 } : charge));
    if (local.length === 0) return charges.map((charge) => withoutCounting(charge));
    const counted = this.#memory.charge(local, nowMs);
    const join = (outcomes: readonly LimitOutcome[]): LimitOutcome[] => {
      let next = 0;
      return charges.map((charge) =>
        isLocal(charge.rule.onLoss) ? counting(charge, outcomes[next++]) : withoutCounting(charge),
      );
    };
    return counted instanceof Promise ? counted.then(join) : join(counted);
  }

  /** Where a charge of `ageMs` ago was counted. `nowhere`: partly here, partly there, or nobody knows. */
  whereCounted(ageMs: number, isLost: boolean): 'store' | 'here' | 'nowhere' {
    const chargedMs = this.#clock.monotonic() - ageMs;
    if (isLost) return chargedMs >= this.#sinceMs ? 'here' : 'nowhere';
    return this.#lastMs < chargedMs ? 'store' : 'nowhere';
  }

  /** The store decided something, or answers again. */
  found(): void {
    this.#sinceMs = Number.POSITIVE_INFINITY;
  }

  refund(charges: readonly Charge[], chargedAtMs: number, nowMs: number): Awaitable<void> {
    const local = charges.filter(({ rule }) => isLocal(rule.onLoss)).map((charge) => this.#share(charge));
    return this.#memory.refund(local, chargedAtMs, nowMs);
  }

  /** Whole: a sum is no limit that nodes have a share of. */
  tally(scope: string, key: string, rule: SumRule, amount: number, nowMs: number): Awaitable<Sum> {
    if (!isLocal(rule.onLoss)) return NOTHING_ADDED;
    const here = this.#memory.tally(scope, key, rule, amount, nowMs);
    return here instanceof Promise ? here.then(lostSum) : lostSum(here);
  }

  acquire(scope: string, key: string, rule: SlotRule, nowMs: number, waiter: Waiter): Awaitable<SlotOutcome> {
    this.#note();
    if (rule.onLoss === 'closed') return { granted: false, why: 'lost', held: 0 };
    if (rule.onLoss === 'open') return { granted: true, slot: { release: () => {} }, held: 1, lost: true };
    const own = { ...rule, limit: this.#part(rule.limit), queue: this.#part(rule.queue) };
    const outcome = this.#memory.acquire(scope, key, own, nowMs, waiter);
    return outcome instanceof Promise ? outcome.then(lostSlot) : lostSlot(outcome);
  }

  #note(): void {
    this.#lastMs = this.#clock.monotonic();
    this.#sinceMs = Math.min(this.#sinceMs, this.#lastMs);
  }

  /** Rounded up: a limit never becomes 0. */
  #part(limit: number): number {
    return Math.ceil(limit / this.#fleet.nodes);
  }

  #share(charge: Charge): Charge {
    const limit = this.#part(charge.rule.limit);
    switch (charge.kind) {
      case 'gcra': {
        const rule = { ...charge.rule, limit, burst: this.#part(charge.rule.burst) };
        return { ...charge, rule };
      }
      case 'sliding-window':
        return { ...charge, rule: { ...charge.rule, limit } };
      case 'fixed-window':
        return { ...charge, rule: { ...charge.rule, limit } };
      case 'quota': {
        // What nobody accounts for is not kept: it is no usage of the fleet.
        const rule = { ...charge.rule, limit, carryOver: 0, about: undefined };
        return { ...charge, rule };
      }
    }
  }
}

const isLocal = (onLoss: Charge['rule']['onLoss']): boolean => onLoss !== 'open' && onLoss !== 'closed';

const withoutCounting = (charge: Charge): LimitOutcome =>
  charge.rule.onLoss === 'open'
    ? { allowed: true, remaining: mostOf(charge), retryAfterMs: 0, resetMs: 0, lost: true }
    : { allowed: false, remaining: 0, retryAfterMs: RETRY_MS, resetMs: RETRY_MS, lost: true };

/** What is too much for this node's share may be admitted once the store is back: that is no "never". */
function counting(charge: Charge, outcome: LimitOutcome): LimitOutcome {
  const { retryAfterMs } = outcome;
  const isTooMuch = retryAfterMs === Number.POSITIVE_INFINITY && charge.cost <= mostOf(charge);
  return { ...outcome, retryAfterMs: isTooMuch ? RETRY_MS : retryAfterMs, lost: true };
}

const NOTHING_ADDED: Sum = Object.freeze({ sum: 0, lost: true });

const lostSum = ({ sum }: Sum): Sum => ({ sum, lost: true });

const lostSlot = (outcome: SlotOutcome): SlotOutcome =>
  outcome.granted ? { ...outcome, lost: true } : outcome;
