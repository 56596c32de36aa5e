import { FLIP_EXAMPLES } from '../../contract/index.ts';

/** How often there was something of a kind, with a few examples. */
export interface Counted<T> {
  readonly kind: T;
  count: number;
  readonly examples: string[];
}

/** Counts things by kind, in bounded memory: those of kinds for which there is no place are counted together. */
export class CountedKinds<T> {
  readonly #kinds = new Map<string, Counted<T>>();
  readonly #most: number;
  /** Of kinds for which there was no place. */
  others = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** `key` names the kind, `weight` is how many there were of it. */
  add(key: string, kind: T, weight: number, example: string): void {
    if (!this.tryAdd(key, kind, weight, example)) this.others += weight;
  }

  /** The same, and false where there is no place for one more kind: then nothing is counted. */
  tryAdd(key: string, kind: T, weight: number, example: string): boolean {
    let counted = this.#kinds.get(key);
    if (counted === undefined) {
      if (this.#kinds.size >= this.#most) return false;
      counted = { kind, count: 0, examples: [] };
      this.#kinds.set(key, counted);
    }
    counted.count += weight;
    if (counted.examples.length < FLIP_EXAMPLES) counted.examples.push(example);
    return true;
  }

  /** The most frequent first. */
  get list(): readonly Counted<T>[] {
    return [...this.#kinds.values()].sort((a, b) => b.count - a.count);
  }
}
