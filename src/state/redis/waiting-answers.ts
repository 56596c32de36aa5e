import type { Clock } from '../../contract/index.ts';

export type NoAnswer = 'timeout' | 'connection';

interface Waiting {
  readonly untilMs: number;
  /** Tells who waits that nothing came. */
  readonly giveUp: (why: NoAnswer) => void;
}

/**
 * Questions under way, all with the same patience: one timer serves them, and the oldest is the first to give up. That
 * this thread was busy is no fault of the store: what has come in meanwhile is read before anybody gives up.
 */
export class WaitingAnswers {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  /** In the order they were asked. */
  readonly #waiting = new Set<Waiting>();
  #isTimed = false;

  constructor(clock: Clock, patienceMs: number) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Calls `giveUp` when the patience is over, unless what it returns is called before. */
  add(giveUp: (why: NoAnswer) => void): () => boolean {
    const waiting: Waiting = { untilMs: this.#clock.monotonic() + this.#patienceMs, giveUp };
    this.#waiting.add(waiting);
    if (!this.#isTimed) this.#time(this.#patienceMs);
    return () => this.#waiting.delete(waiting);
  }

  /** Nobody waits any longer: the connection is gone. */
  giveUpAll(): void {
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      waiting.giveUp('connection');
    }
  }

  #time(delayMs: number): void {
    this.#isTimed = true;
    setTimeout(() => setImmediate(() => this.#look()), Math.max(1, Math.ceil(delayMs))).unref();
  }

  #look(): void {
    this.#isTimed = false;
    const nowMs = this.#clock.monotonic();
    for (const waiting of this.#waiting) {
      if (waiting.untilMs > nowMs) return this.#time(waiting.untilMs - nowMs);
      this.#waiting.delete(waiting);
      waiting.giveUp('timeout');
    }
  }
}
