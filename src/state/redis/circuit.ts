/** So many questions in a row without an answer, and no more are asked. */
const FAILURES = 3;

/** Whether a part of the store is asked: not while it does not answer. */
export class Circuit {
  #failures = 0;
  #isLost = false;
  #isDoubtful = false;

  get isLost(): boolean {
    return this.#isLost;
  }

  /** A question was waited for in vain, and nothing was heard since: to wait for another is to wait in vain as well. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** True when it was not doubtful already. */
  doubt(): boolean {
    const wasDoubtful = this.#isDoubtful;
    this.#isDoubtful = true;
    return !wasDoubtful;
  }

  /** Something was heard, if too late: that it answers in time is not said by it. */
  heard(): void {
    this.#isDoubtful = false;
  }

  /** A question was not answered; true when it is this one that makes the store lost. */
  failed(): boolean {
    if (this.#isLost || ++this.#failures < FAILURES) return false;
    return this.lose();
  }

  /** True when it was not lost already. */
  lose(): boolean {
    const wasLost = this.#isLost;
    this.#isLost = true;
    return !wasLost;
  }

  /** A question was answered. One whose answer came while the store was lost proves nothing yet: a probe does. */
  answered(): void {
    this.#failures = 0;
    this.#isDoubtful = false;
  }

  /** The store would count again. */
  recover(): void {
    this.#failures = 0;
    this.#isLost = false;
    this.#isDoubtful = false;
  }
}

/** A pause before the `attempt`th try (from 1): doubled each time up to `mostMs`, and half of it by chance. */
export function backoffMs(attempt: number, firstMs: number, mostMs: number, chance: number): number {
  const whole = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 20));
  return Math.round(whole / 2 + (whole / 2) * chance);
}
