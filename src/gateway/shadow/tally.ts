import {
  FLIP_EXAMPLES,
  type FlipCount,
  type FlipKind,
  placeOfFlip,
  type ShadowFigures,
  type Undecidable,
} from '../../contract/index.ts';

interface Counted {
  readonly kind: FlipKind;
  count: number;
  readonly examples: string[];
}

/** What judging requests a second time has shown. Bounded: who sends requests chooses how many kinds of flips there are. */
export class ShadowTally {
  readonly #flips = new Map<string, Counted>();
  readonly #undecided: Partial<Record<Undecidable, number>> = {};
  #judged = 0;
  #same = 0;
  #otherFlips = 0;
  #leftOut = 0;
  #costMs = 0;

  same(): void {
    this.#judged++;
    this.#same++;
  }

  flip(kind: FlipKind, requestId: string): void {
    this.#judged++;
    const place = placeOfFlip(kind, this.#flips);
    if (place === undefined) {
      this.#otherFlips++;
      return;
    }
    const counted = this.#flips.get(place.key) ?? { kind: place.kind, count: 0, examples: [] };
    if (counted.count === 0) this.#flips.set(place.key, counted);
    counted.count++;
    if (counted.examples.length < FLIP_EXAMPLES) counted.examples.push(requestId);
  }

  undecided(reason: Undecidable): void {
    this.#undecided[reason] = (this.#undecided[reason] ?? 0) + 1;
  }

  leftOut(): void {
    this.#leftOut++;
  }

  spent(ms: number): void {
    this.#costMs += ms;
  }

  get figures(): ShadowFigures {
    const flips = [...this.#flips.values()].map(
      ({ kind, count, examples }): FlipCount => ({ ...kind, count, examples: [...examples] }),
    );
    return {
      judged: this.#judged,
      same: this.#same,
      flips,
      otherFlips: this.#otherFlips,
      undecided: { ...this.#undecided },
      leftOut: this.#leftOut,
      costMs: this.#costMs,
    };
  }
}
