/** Something that must not wait for ever. `deadlineMs` is on the monotonic clock; 0 means it waits for nothing. */
export interface Waiting {
  deadlineMs: number;
  onDeadline(): void;
}

/**
 * One coarse timer for everything that waits: setting or moving a deadline is an assignment, with no timer
 * made per request. Deadlines are late by at most one tick.
 */
export class Deadlines {
  readonly #waiting = new Set<Waiting>();
  readonly #monotonic: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #onDefect: (cause: unknown) => void;
  readonly #tickMs: number;
  #sweptAtMs: number;

  /** `tickMs` is how coarse it is; default 100 ms. `onDefect` is told of a deadline that threw, and the others go on; default: it throws. */
  constructor(monotonic: () => number, onDefect: (cause: unknown) => void = rethrow, tickMs = 100) {
    this.#monotonic = monotonic;
    this.#onDefect = onDefect;
    this.#tickMs = tickMs;
    this.#sweptAtMs = monotonic();
    this.#timer = setInterval(() => this.sweep(), tickMs);
    this.#timer.unref();
  }

  /** When it was last looked, on the monotonic clock: the time, late by no more than a tick and a turn of the event loop. */
  get sweptAtMs(): number {
    return this.#sweptAtMs;
  }

  add(waiting: Waiting): void {
    this.#waiting.add(waiting);
  }

  remove(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  /**
   * A deadline `ms` from now, told without reading the clock: late by a tick at most, and never early but for as
   * long as one turn of the event loop lasts. For what is moved with every request.
   */
  after(ms: number): number {
    return this.#sweptAtMs + this.#tickMs + ms;
  }

  /** Fires what is due. */
  sweep(): void {
    const now = this.#monotonic();
    this.#sweptAtMs = now;
    for (const waiting of this.#waiting) {
      if (waiting.deadlineMs === 0 || waiting.deadlineMs > now) continue;
      waiting.deadlineMs = 0;
      try {
        waiting.onDeadline();
      } catch (cause) {
        this.#onDefect(cause);
      }
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function rethrow(cause: unknown): never {
  throw cause;
}
