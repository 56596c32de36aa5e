import type {
  Awaitable,
  Charge,
  CounterState,
  GcraRule,
  LimitOutcome,
  SlidingWindowRule,
  SlotOutcome,
  SlotRule,
  Sum,
  SumRule,
} from '../../contract/index.ts';
import { ShadowPlaces, type Visit } from './places.ts';

/** Scopes come from documents: the bound is for limits that move by themselves. */
const MAX_SCOPES = 4096;

/** The counters of one revision in one rollout: the same names as others have, and nothing else in common with them. */
export class ShadowScopes {
  readonly state: CounterState;
  readonly places = new ShadowPlaces();
  readonly #prefix: string;
  readonly #scopes = new Map<string, string>();

  /** `state`: memory in which nothing live is counted. */
  constructor(state: CounterState, rollout: string, revision: string) {
    this.state = state;
    this.#prefix = `shadow ${rollout} ${revision}\n`;
  }

  of(scope: string): string {
    let own = this.#scopes.get(scope);
    if (own === undefined) {
      if (this.#scopes.size >= MAX_SCOPES) this.#scopes.clear();
      own = this.#prefix + scope;
      this.#scopes.set(scope, own);
    }
    return own;
  }
}

/** Those counters as one judgement asks them: nothing waits in them, and what is a guess is noted. */
export class ShadowCounters implements CounterState {
  readonly #scopes: ShadowScopes;
  readonly #visit: Visit;

  constructor(scopes: ShadowScopes, visit: Visit) {
    this.#scopes = scopes;
    this.#visit = visit;
  }

  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): Awaitable<LimitOutcome> {
    return this.#seen(this.#scopes.state.gcra(this.#ask(scope), key, rule, cost, nowMs));
  }

  slidingWindow(
    scope: string,
    key: string,
    rule: SlidingWindowRule,
    cost: number,
    nowMs: number,
  ): Awaitable<LimitOutcome> {
    return this.#seen(this.#scopes.state.slidingWindow(this.#ask(scope), key, rule, cost, nowMs));
  }

  charge(charges: readonly Charge[], nowMs: number): Awaitable<readonly LimitOutcome[]> {
    const outcomes = this.#scopes.state.charge(this.#own(charges), nowMs);
    return outcomes instanceof Promise
      ? outcomes.then((later) => this.#seenAll(later))
      : this.#seenAll(outcomes);
  }

  refund(charges: readonly Charge[], chargedAtMs: number, nowMs: number): Awaitable<void> {
    return this.#scopes.state.refund(this.#own(charges), chargedAtMs, nowMs);
  }

  tally(scope: string, key: string, rule: SumRule, amount: number, nowMs: number): Awaitable<Sum> {
    return this.#scopes.state.tally(this.#ask(scope), key, rule, amount, nowMs);
  }

  acquire(scope: string, key: string, rule: SlotRule): SlotOutcome {
    this.#visit.asked.push(scope);
    return this.#scopes.places.acquire(scope, key, rule, this.#visit);
  }

  /** The name that a scope has here. */
  #ask(scope: string): string {
    this.#visit.asked.push(scope);
    return this.#scopes.of(scope);
  }

  #seen(outcome: Awaitable<LimitOutcome>): Awaitable<LimitOutcome> {
    return outcome instanceof Promise
      ? outcome.then((later) => this.#seenOne(later))
      : this.#seenOne(outcome);
  }

  #seenAll(outcomes: readonly LimitOutcome[]): readonly LimitOutcome[] {
    for (const outcome of outcomes) this.#seenOne(outcome);
    return outcomes;
  }

  /** There is less room here than where it is for real. */
  #seenOne(outcome: LimitOutcome): LimitOutcome {
    if (outcome.full === true) this.#visit.note('sampled');
    return outcome;
  }

  #own(charges: readonly Charge[]): readonly Charge[] {
    return charges.map((charge) => ({ ...charge, scope: this.#ask(charge.scope) }));
  }
}
