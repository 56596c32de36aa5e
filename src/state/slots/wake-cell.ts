import type { SlotMemory } from './layout.ts';

/** Who is woken. */
export interface Sleeper {
  /** Whether anybody waits to be told something. */
  isWanted(): boolean;
  onTold(waiter: number): void;
}

/**
 * Learns what other threads tell those of this one that wait. While any does, one `Atomics.waitAsync` is out, however
 * many there are: the thread is woken within some tens of microseconds, and looks at what was told since.
 */
export class WakeCell {
  readonly #memory: SlotMemory;
  readonly #row: number;
  readonly #sleeper: Sleeper;
  #isListening = false;

  constructor(memory: SlotMemory, row: number, sleeper: Sleeper) {
    this.#memory = memory;
    this.#row = row;
    this.#sleeper = sleeper;
  }

  /** Looks, and from now on whenever somebody tells something, until nobody waits any more. */
  listen(): void {
    const { wakes } = this.#memory;
    while (!this.#isListening && this.#sleeper.isWanted()) {
      // First the word, then the look: what is told after the look changes the word, and there is no sleep.
      Atomics.store(wakes, this.#row, 0);
      this.look();
      if (!this.#sleeper.isWanted()) return;
      const sleep = Atomics.waitAsync(wakes, this.#row, 0);
      if (!sleep.async) continue;
      this.#isListening = true;
      void sleep.value.then(() => {
        this.#isListening = false;
        this.listen();
      });
    }
  }

  look(): void {
    const { told, waitersPerRow } = this.#memory;
    const first = (this.#row * waitersPerRow) >>> 5;
    const end = first + (waitersPerRow >>> 5);
    for (let word = first; word < end; word++) {
      if (told[word] !== 0) this.#seeTo(word, Atomics.exchange(told, word, 0));
    }
  }

  #seeTo(word: number, bits: number): void {
    for (let left = bits; left !== 0; left &= left - 1) {
      this.#sleeper.onTold(word * 32 + (31 - Math.clz32(left & -left)));
    }
  }
}
