/** Chooses a share of what comes, without a rhythm that anybody's requests could fall in with. The same for the same seed. */
export class Sample {
  readonly #share: number;
  #state: number;

  /** `share`: 0 to 1. `seed`: any number. */
  constructor(share: number, seed: number) {
    this.#share = share;
    // Near seeds are to begin far apart.
    this.#state = Math.imul(seed, 0x9e3779b1) | 1;
  }

  /** Whether the next one is chosen (xorshift, Marsaglia 2003). */
  next(): boolean {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) / 2 ** 32 < this.#share;
  }
}
