import { InternalError } from '../../errors.ts';
import {
  baseOf,
  type CredentialBuffers,
  EMPTY,
  ENTRY_WORDS,
  GENERATION,
  KEY,
  MAX_INDEX_BITS,
  MIN_INDEX_BITS,
  NUMBER_MASK,
  nextGeneration,
  REMOVED,
  sizeOf,
  USED,
  wordsOf,
} from './layout.ts';

/** The index as its owner changes it. Which places are free is known by the words themselves. */
export class TableIndex {
  readonly #buffer: SharedArrayBuffer;
  readonly #entries: () => Int32Array;
  #words: Int32Array;
  #generation = MIN_INDEX_BITS;
  /** Places that name an entry, and those that did. */
  #used = 0;
  #removed = 0;

  /** `entries`: the words of all entries as they are now, for their keys. */
  constructor({ index }: CredentialBuffers, entries: () => Int32Array) {
    this.#buffer = index;
    this.#entries = entries;
    this.#words = wordsOf(index);
  }

  /** Makes room for so many entries in all. */
  reserve(entries: number): void {
    if (entries * 2 > sizeOf(this.#generation)) this.#rebuild(entries * 2);
  }

  /** Readers find the entry from now on. Its key has no place yet. */
  add(number: number): void {
    if ((this.#used + this.#removed + 1) * 2 > sizeOf(this.#generation)) this.#sweep();
    const at = this.#placeFor(this.#generation, number);
    if (this.#words[at] === REMOVED) this.#removed--;
    Atomics.store(this.#words, at, this.#placeOf(number));
    this.#used++;
    Atomics.store(this.#words, USED, this.#used);
  }

  /** The entry still has its key, and is no longer what a reader would take for it. */
  remove(number: number): void {
    const wanted = this.#placeOf(number);
    const base = baseOf(this.#generation);
    const mask = sizeOf(this.#generation) - 1;
    let at = this.#homeOf(number) & mask;
    while (this.#words[base + at] !== wanted) {
      if (this.#words[base + at] === EMPTY)
        throw new InternalError('an entry of live credentials has no place');
      at = (at + 1) & mask;
    }
    Atomics.store(this.#words, base + at, REMOVED);
    this.#used--;
    this.#removed++;
    Atomics.store(this.#words, USED, this.#used);
  }

  #homeOf(number: number): number {
    return this.#entries()[number * ENTRY_WORDS + KEY];
  }

  #placeOf(number: number): number {
    return (this.#entries()[number * ENTRY_WORDS + KEY + 1] & ~NUMBER_MASK) | (number + 1);
  }

  /** Where an entry goes in an index that has room. */
  #placeFor(generation: number, number: number): number {
    const base = baseOf(generation);
    const mask = sizeOf(generation) - 1;
    let at = this.#homeOf(number) & mask;
    while ((this.#words[base + at] & NUMBER_MASK) !== 0) at = (at + 1) & mask;
    return base + at;
  }

  /** Leaves an eighth of the places for what comes, so that the work of a rebuild is spread over many changes. */
  #sweep(): void {
    this.#rebuild(Math.ceil(((this.#used + 1) * 8) / 3));
  }

  /**
   * Builds the index anew with at least so many places, and makes it the current one. Readers go on in the one before;
   * those that are still in the one before that, whose words are written here, notice and begin again.
   */
  #rebuild(places: number): void {
    const before = this.#generation;
    const bits = Math.min(Math.max(before & 31, Math.ceil(Math.log2(places))), MAX_INDEX_BITS);
    const next = nextGeneration(before, bits);
    this.#reach(4 * 2 ** bits);
    const [from, size] = [baseOf(before), sizeOf(before)];
    for (let at = baseOf(next); at < baseOf(next) + sizeOf(next); at++) {
      if (this.#words[at] !== EMPTY) Atomics.store(this.#words, at, EMPTY);
    }
    for (let at = from; at < from + size; at++) {
      const number = (this.#words[at] & NUMBER_MASK) - 1;
      if (number >= 0) Atomics.store(this.#words, this.#placeFor(next, number), this.#placeOf(number));
    }
    this.#generation = next;
    this.#removed = 0;
    Atomics.store(this.#words, GENERATION, next);
  }

  #reach(words: number): void {
    if (words * 4 > this.#buffer.byteLength) this.#buffer.grow(words * 4);
    this.#words = wordsOf(this.#buffer);
  }
}
