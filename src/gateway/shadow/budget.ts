/** What is not used of a budget is kept for so long. */
const KEPT_MS = 1000;

/** A share of a core's time. What one use takes too much is taken from the next. */
export class Budget {
  readonly #share: number;
  #availableMs: number;
  #filledAtMs: number;

  /** `share`: 0 to 1. Times are monotonic milliseconds. */
  constructor(share: number, nowMs: number) {
    this.#share = share;
    this.#availableMs = share * KEPT_MS;
    this.#filledAtMs = nowMs;
  }

  /** Whether anything of it is left. */
  isLeft(nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#filledAtMs = nowMs;
    this.#availableMs = Math.min(this.#share * KEPT_MS, this.#availableMs + elapsedMs * this.#share);
    return this.#availableMs > 0;
  }

  spend(ms: number): void {
    this.#availableMs -= ms;
  }
}
