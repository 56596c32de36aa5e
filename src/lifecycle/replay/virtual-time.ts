import type { Clock } from '../../contract/index.ts';

/** What is to be done at a time of the recording. */
interface Due {
  readonly atMs: number;
  /** Of what is due at one time, what was asked for first comes first. */
  readonly order: number;
  readonly work: () => void | Promise<void>;
}

/** The time of the recording: it goes on from record to record, and what is due between them is done in its order. */
export class VirtualTime implements Clock {
  #nowMs = 0;
  #startMs = 0;
  #order = 0;
  /** A binary heap, the earliest first. */
  readonly #due: Due[] = [];

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs - this.#startMs;
  }

  /** Begins at this time. */
  start(atMs: number): void {
    this.#startMs = atMs;
    this.#nowMs = atMs;
  }

  /** Has `work` done when it is `atMs`, in milliseconds since the epoch; what is past is done next. */
  at(atMs: number, work: () => void | Promise<void>): void {
    const due = { atMs, order: this.#order++, work };
    let place = this.#due.length;
    this.#due.push(due);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (isBefore(this.#due[parent], due)) break;
      this.#due[place] = this.#due[parent];
      place = parent;
    }
    this.#due[place] = due;
  }

  /** When the next thing is due; infinite where nothing is. */
  get nextMs(): number {
    return this.#due.length === 0 ? Number.POSITIVE_INFINITY : this.#due[0].atMs;
  }

  /** Does the next thing that is due, at its time. */
  doNext(): void | Promise<void> {
    const next = this.#take();
    if (next === undefined) return;
    this.goOnTo(next.atMs);
    return next.work();
  }

  /** It never goes back: records of several workers may cross by a little. */
  goOnTo(atMs: number): void {
    if (atMs > this.#nowMs) this.#nowMs = atMs;
  }

  #take(): Due | undefined {
    const [first] = this.#due;
    const last = this.#due.pop();
    const { length } = this.#due;
    if (last === undefined || length === 0) return first;
    let place = 0;
    for (let child = 1; child < length; child = 2 * place + 1) {
      if (child + 1 < length && isBefore(this.#due[child + 1], this.#due[child])) child++;
      if (isBefore(last, this.#due[child])) break;
      this.#due[place] = this.#due[child];
      place = child;
    }
    this.#due[place] = last;
    return first;
  }
}

const isBefore = (one: Due, other: Due): boolean =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
