import type {
  Awaitable,
  Charge,
  CounterState,
  GcraRule,
  LimitOutcome,
  QuotaRule,
  SlidingWindowRule,
  SlotOutcome,
  SlotRule,
  Waiter,
} from '../../contract/index.ts';

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

/** Which quotas are noted: those whose count changes, or also those that refuse, since other nodes may have used them up. */
export type NotedQuotas = 'charged' | 'asked';

/** The counters, with a note of quotas. As one request asks them they are what they were: so is its patience. */
export function noteQuotas(
  state: CounterState,
  notes: QuotaNotes,
  which: NotedQuotas = 'charged',
): CounterState {
  return state.ofRequest === undefined
    ? new NotedCounters(state, notes, which)
    : new NotedStore(state, notes, which, () => state.ofRequest?.() ?? state);
}

class NotedCounters implements CounterState {
  readonly #state: CounterState;
  readonly #notes: QuotaNotes;
  readonly #which: NotedQuotas;

  constructor(state: CounterState, notes: QuotaNotes, which: NotedQuotas) {
    this.#state = state;
    this.#notes = notes;
    this.#which = which;
  }

  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): Awaitable<LimitOutcome> {
    return this.#state.gcra(scope, key, rule, cost, nowMs);
  }

  slidingWindow(
    scope: string,
    key: string,
    rule: SlidingWindowRule,
    cost: number,
    nowMs: number,
  ): Awaitable<LimitOutcome> {
    return this.#state.slidingWindow(scope, key, rule, cost, nowMs);
  }

  charge(charges: readonly Charge[], nowMs: number): Awaitable<readonly LimitOutcome[]> {
    const outcomes = this.#state.charge(charges, nowMs);
    return outcomes instanceof Promise
      ? outcomes.then((later) => this.#noteCharged(charges, later))
      : this.#noteCharged(charges, outcomes);
  }

  refund(charges: readonly Charge[], chargedAtMs: number, nowMs: number): Awaitable<void> {
    this.#noteAll(charges);
    return this.#state.refund(charges, chargedAtMs, nowMs);
  }

  tally(
    scope: string,
    key: string,
    rule: Parameters<CounterState['tally']>[2],
    amount: number,
    nowMs: number,
  ): ReturnType<CounterState['tally']> {
    return this.#state.tally(scope, key, rule, amount, nowMs);
  }

  acquire(scope: string, key: string, rule: SlotRule, nowMs: number, waiter: Waiter): Awaitable<SlotOutcome> {
    return this.#state.acquire(scope, key, rule, nowMs, waiter);
  }

  #noteCharged(charges: readonly Charge[], outcomes: readonly LimitOutcome[]): readonly LimitOutcome[] {
    if (this.#which === 'asked' || outcomes.every(({ allowed }) => allowed)) this.#noteAll(charges);
    return outcomes;
  }

  #noteAll(charges: readonly Charge[]): void {
    for (const charge of charges) this.#notes.note(charge);
  }
}

/** Counters of which each request has a view of its own. */
class NotedStore extends NotedCounters {
  readonly #viewOf: () => NotedCounters;

  constructor(state: CounterState, notes: QuotaNotes, which: NotedQuotas, ofRequest: () => CounterState) {
    super(state, notes, which);
    this.#viewOf = () => new NotedCounters(ofRequest(), notes, which);
  }

  ofRequest(): CounterState {
    return this.#viewOf();
  }
}
