import { setImmediate } from 'node:timers/promises';

/** Compiling shares its thread with traffic: it never holds it for longer than about this. */
const SLICE_MS = 5;

/** Gives the event loop its turn when a slice of time is used up. */
export class Pacer {
  readonly #monotonic: () => number;
  readonly #pause: () => Promise<unknown>;
  #sliceStart: number;

  constructor(
    monotonic: () => number = () => performance.now(),
    pause: () => Promise<unknown> = setImmediate,
  ) {
    this.#monotonic = monotonic;
    this.#pause = pause;
    this.#sliceStart = monotonic();
  }

  /** Whether it is time to await `breathe`. */
  get isDue(): boolean {
    return this.#monotonic() - this.#sliceStart >= SLICE_MS;
  }

  async breathe(): Promise<void> {
    await this.#pause();
    this.#sliceStart = this.#monotonic();
  }
}
