/** So many are kept; then two become one. */
const MOST_STRETCHES = 64;

/** Sums that only grow, as seen one after the other. */
export type Totals = readonly number[];

/**
 * What was added in each stretch of time, of sums that only grow. Stretches become longer with time, so that there are
 * never more than 64 however long it takes.
 */
export class Stretches {
  readonly #ends: Totals[] = [];
  readonly #size: number;
  /** How many observations make a stretch. */
  #length = 1;
  #seen = 0;

  /** `size`: how many sums there are. */
  constructor(size: number) {
    this.#size = size;
  }

  add(totals: Totals): void {
    this.#seen++;
    if (this.#seen % this.#length !== 0) return;
    this.#ends.push(totals);
    if (this.#ends.length < MOST_STRETCHES) return;
    const kept = this.#ends.filter((_, i) => i % 2 === 1);
    this.#ends.splice(0, this.#ends.length, ...kept);
    this.#length *= 2;
  }

  /** What sum `i` grew by in each stretch. */
  growth(i: number): number[] {
    if (i >= this.#size) throw new RangeError(`there are ${this.#size} sums`);
    return this.#ends.map((totals, at) => totals[i] - (at === 0 ? 0 : this.#ends[at - 1][i]));
  }
}
