import type { Awaitable, CounterState, GcraRule, LimitOutcome } from '../../contract/index.ts';
import { PolicyFailure } from '../../errors.ts';

/** One more than two workers that renew one mark at the same time need. */
const TRIES = 4;
/** How far apart the clocks of workers may be, and a request's time behind the clock, without a mark losing from it. */
const CLOCKS_APART_MS = 60_000;

/** Longest life of a mark for which counters are exact: 800 days. */
export const MAX_MARK_MS = 800 * 86_400_000;

/**
 * Marks that every worker sees at once, kept in its counters: a mark fills its counter with as many units as it lives
 * milliseconds, and one drains with each. What is left in it says since when it stands. A mark whose life is over
 * costs nothing. Throws PolicyFailure where the counters have no room: then nobody knows whether there is a mark.
 */
export class Marks {
  readonly #scope: string;
  readonly #lifeMs: number;
  readonly #rule: GcraRule;

  /** `lifeMs`: a whole number, at most MAX_MARK_MS. Marks of another life are other marks. */
  constructor(scope: string, lifeMs: number) {
    this.#scope = scope;
    this.#lifeMs = lifeMs;
    // A second of the rule's is its window, so that clocks a little apart do not drain it twice.
    this.#rule = { limit: CLOCKS_APART_MS, windowMs: CLOCKS_APART_MS, burst: lifeMs };
  }

  /** Sets the mark unless it stands: false when it does. Of any number of workers one is told true. */
  async place(state: CounterState, key: string, nowMs: number): Promise<boolean> {
    const outcome = await this.#charge(state, key, this.#lifeMs, nowMs);
    return outcome.allowed;
  }

  /** Sets the mark as of now, whether it stands or not. */
  async renew(state: CounterState, key: string, nowMs: number): Promise<void> {
    for (let i = 0; i < TRIES; i++) {
      const since = await this.since(state, key, nowMs);
      const missing = since === undefined ? this.#lifeMs : Math.max(0, nowMs - since);
      if (missing === 0) return;
      const outcome = await this.#charge(state, key, missing, nowMs);
      if (outcome.allowed) return;
    }
    throw new PolicyFailure(...NO_ROOM);
  }

  /** Since when the mark stands, in milliseconds since the epoch; undefined when there is none. */
  since(state: CounterState, key: string, nowMs: number): Awaitable<number | undefined> {
    const outcome = this.#charge(state, key, 0, nowMs);
    if (outcome instanceof Promise) return outcome.then((told) => this.#sinceOf(told, nowMs));
    return this.#sinceOf(outcome, nowMs);
  }

  #sinceOf({ allowed, resetMs }: LimitOutcome, nowMs: number): number | undefined {
    // To charge nothing is always admitted, but where the table has no place left for the key.
    if (!allowed) throw new PolicyFailure(...NO_ROOM);
    return resetMs === 0 ? undefined : nowMs + resetMs - this.#lifeMs;
  }

  #charge(state: CounterState, key: string, cost: number, nowMs: number): Awaitable<LimitOutcome> {
    return state.gcra(this.#scope, key, this.#rule, cost, nowMs);
  }
}

const NO_ROOM = [
  'identity-unavailable',
  'Sign-ins cannot be checked now.',
  'the counters have no room: whether a session has ended cannot be known',
] as const;
