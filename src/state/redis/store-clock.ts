import type { Clock } from '../../contract/index.ts';

/**
 * The store's clock, as far as this thread knows it: never ahead of it. What was charged is given back by the time of the
 * store, however long the question is on its way: told by its age, it would become younger on the way.
 */
export class StoreClock {
  readonly #clock: Clock;
  #aheadMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An answer has just come in that says what time it was in the store. */
  heard(storeMs: number): void {
    this.#aheadMs = storeMs - this.#clock.monotonic();
  }

  /** The store's time so many milliseconds ago, or somewhat earlier; undefined while nothing was heard. */
  ago(ms: number): number | undefined {
    if (this.#aheadMs === undefined) return undefined;
    return Math.floor(this.#clock.monotonic() + this.#aheadMs - ms);
  }
}
