import type { Clock } from '../../contract/index.ts';

export type NoAnswer = 'timeout' | 'connection';

interface Waiting {
  /** By the time that was waited. */
  readonly untilMs: number;
  /** Tells who waits that nothing came. */
  readonly giveUp: (why: NoAnswer) => void;
}

/** So often in the time of one patience it is looked who waits in vain. */
const LOOKS = 16;
/** No more passes between two looks, in the time between them. */
const LOOKS_PASSED = 2;

/**
 * Questions under way. One timer serves them all. That this thread was busy is no fault of the store: what has come in
 * meanwhile is read before anybody gives up, and time in which it could not be read is not time that was waited.
 */
export class WaitingAnswers {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #lookMs: number;
  /** In the order they were asked. */
  readonly #waiting = new Set<Waiting>();
  #isTimed = false;
  /** Monotonic, and what had been waited by then. */
  #lookedMs = 0;
  #waitedMs = 0;

  constructor(clock: Clock, patienceMs: number) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
    this.#lookMs = Math.max(1, patienceMs / LOOKS);
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** How long was waited so far, in milliseconds: it goes on while a question is under way and this thread is not busy. */
  get waitedMs(): number {
    if (!this.#isTimed) return this.#waitedMs;
    const passedMs = this.#clock.monotonic() - this.#lookedMs;
    return this.#waitedMs + Math.min(passedMs, LOOKS_PASSED * this.#lookMs);
  }

  /** Calls `giveUp` when the patience is over, unless what it returns is called before. */
  add(giveUp: (why: NoAnswer) => void, patienceMs = this.#patienceMs): () => boolean {
    if (!this.#isTimed) this.#time(Math.min(patienceMs, this.#lookMs));
    const waiting: Waiting = { untilMs: this.waitedMs + patienceMs, giveUp };
    this.#waiting.add(waiting);
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
    this.#lookedMs = this.#clock.monotonic();
    setTimeout(() => setImmediate(() => this.#look()), Math.max(1, Math.ceil(delayMs))).unref();
  }

  #look(): void {
    this.#waitedMs = this.waitedMs;
    this.#isTimed = false;
    let nextMs = this.#lookMs;
    for (const waiting of this.#waiting) {
      const leftMs = waiting.untilMs - this.#waitedMs;
      if (leftMs > 0) {
        nextMs = Math.min(nextMs, leftMs);
        continue;
      }
      this.#waiting.delete(waiting);
      waiting.giveUp('timeout');
    }
    // Who was told may have asked anew.
    if (this.#waiting.size > 0 && !this.#isTimed) this.#time(nextMs);
  }
}
