import { NONE } from './places.ts';

/** Numbers of a range, each given out once until it comes back. What came back last goes out first: it is in the cache. */
export class Numbers {
  readonly #back: number[] = [];
  readonly #end: number;
  #next: number;

  constructor(first: number, count: number) {
    this.#next = first;
    this.#end = first + count;
  }

  /** How many are not out. */
  get left(): number {
    return this.#end - this.#next + this.#back.length;
  }

  /** NONE when all are out. */
  take(): number {
    return this.#back.pop() ?? (this.#next < this.#end ? this.#next++ : NONE);
  }

  putBack(number: number): void {
    this.#back.push(number);
  }
}
