import type { Charge, CounterState, LimitOutcome, QuotaRule } from '../../contract/index.ts';

/** A quota that was charged, by its latest rule. */
export interface QuotaNote {
  readonly scope: string;
  readonly key: string;
  readonly rule: QuotaRule;
}

/** Quotas noted between two collections. More than a table of them holds are none. */
const MAX_NOTED = 262_144;

/**
 * Which quotas a worker charged since it was last asked. Counters are told apart by hashes; to keep them beyond the
 * process, somebody has to know their names. Those that say nothing of themselves are not noted.
 */
export class QuotaNotes {
  readonly #max: number;
  #byScope = new Map<string, Map<string, QuotaRule>>();
  #count = 0;

  constructor(max = MAX_NOTED) {
    this.#max = max;
  }

  note(charge: Charge): void {
    if (charge.kind !== 'quota' || charge.rule.about === undefined) return;
    const { scope, key, rule } = charge;
    let keys = this.#byScope.get(scope);
    if (keys === undefined) {
      keys = new Map();
      this.#byScope.set(scope, keys);
    }
    const known = keys.get(key);
    if (known === rule) return;
    if (known === undefined && ++this.#count > this.#max) return;
    keys.set(key, rule);
  }

  /** Each once. */
  take(): readonly QuotaNote[] {
    const taken: QuotaNote[] = [];
    for (const [scope, keys] of this.#byScope) {
      for (const [key, rule] of keys) taken.push({ scope, key, rule });
    }
    this.#byScope = new Map();
    this.#count = 0;
    return taken;
  }
}

/** The counters, with a note of each quota whose count changes. */
export function noteQuotas(state: CounterState, notes: QuotaNotes): CounterState {
  const noteAll = (charges: readonly Charge[]): void => {
    for (const charge of charges) notes.note(charge);
  };
  const noteCharged = (charges: readonly Charge[], outcomes: readonly LimitOutcome[]) => {
    if (outcomes.every(({ allowed }) => allowed)) noteAll(charges);
    return outcomes;
  };
  return {
    gcra: (scope, key, rule, cost, nowMs) => state.gcra(scope, key, rule, cost, nowMs),
    slidingWindow: (scope, key, rule, cost, nowMs) => state.slidingWindow(scope, key, rule, cost, nowMs),
    charge(charges, nowMs) {
      const outcomes = state.charge(charges, nowMs);
      return outcomes instanceof Promise
        ? outcomes.then((later) => noteCharged(charges, later))
        : noteCharged(charges, outcomes);
    },
    refund(charges, chargedAtMs, nowMs) {
      noteAll(charges);
      return state.refund(charges, chargedAtMs, nowMs);
    },
    tally: (scope, key, windowMs, amount, nowMs) => state.tally(scope, key, windowMs, amount, nowMs),
    acquire: (scope, key, rule, nowMs, waiter) => state.acquire(scope, key, rule, nowMs, waiter),
  };
}
