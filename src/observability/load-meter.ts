import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { Clock, WorkerLoad } from '../contract/index.ts';

/** Often enough to notice within a tenth of a second, seldom enough to cost nothing (10 µs each time). */
export const LOAD_INTERVAL_MS = 20;
/** So long all turns have to be late before the loop counts as late. */
const STANDING_MS = 100;
/** Of so many turns it is remembered. */
const TURNS = 8;
const MEMORY_EVERY_MS = 500;

/** What is asked of the system. */
export interface ThreadFacts {
  /** CPU time of this thread so far, in milliseconds. */
  cpuMs(): number;
  /** Heap of this thread that is in use, and the most it may have, in bytes. */
  heap(): { readonly used: number; readonly limit: number };
  /** Of the process. */
  residentBytes(): number;
  /** What the process may have. */
  readonly residentLimitBytes: number;
}

/** The facts of this thread and its process. */
export function threadFacts(): ThreadFacts {
  const constrained = process.constrainedMemory();
  const all = totalmem();
  return {
    cpuMs() {
      const { user, system } = process.threadCpuUsage();
      return (user + system) / 1000;
    },
    heap() {
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
      return { used, limit };
    },
    residentBytes: () => process.memoryUsage.rss(),
    // Without a limit of a container it says 0, or more than there is.
    residentLimitBytes: constrained > 0 && constrained < all ? constrained : all,
  };
}

/**
 * Measures how late the event loop of this thread is with what is due. A timer comes late by what the turn before took,
 * and the turn it starts takes as long as all that is ready takes to be worked off; the longer of the two is what a
 * request waits for its turn now. `lagMs` is the least of the last tenth of a second: a queue that stands, and not a pause of the collector, which
 * is one late turn however long (as in
 * Nichols and Jacobson, "Controlling Queue Delay", 2012).
 */
export class LoadMeter implements WorkerLoad {
  readonly residentLimitBytes: number;
  turnMs = 0;
  lagMs = 0;
  cpuShare = 0;
  heapShare = 0;
  residentBytes = 0;
  readonly #clock: Clock;
  readonly #facts: ThreadFacts;
  readonly #afterTurn: (work: () => void) => void;
  /** The latest turns in a ring: when they began, how long they took, and the thread's CPU time at their end. */
  readonly #begins = new Float64Array(TURNS).fill(Number.NEGATIVE_INFINITY);
  readonly #turns = new Float64Array(TURNS);
  readonly #ends = new Float64Array(TURNS);
  readonly #cpus = new Float64Array(TURNS);
  #last = 0;
  #expectedMs: number;
  #firedMs = 0;
  #lateMs = 0;
  #isUnderWay = false;
  #memoryAtMs = Number.NEGATIVE_INFINITY;
  #watch: (() => void) | undefined = undefined;

  /** `afterTurn` runs its work once what is ready now was worked off; default `setImmediate`. */
  constructor(
    clock: Clock,
    facts: ThreadFacts = threadFacts(),
    afterTurn: (work: () => void) => void = setImmediate,
  ) {
    this.#clock = clock;
    this.#facts = facts;
    this.#afterTurn = afterTurn;
    this.residentLimitBytes = facts.residentLimitBytes;
    this.#expectedMs = clock.monotonic() + LOAD_INTERVAL_MS;
  }

  /** To be called every LOAD_INTERVAL_MS. */
  tick(): void {
    const nowMs = this.#clock.monotonic();
    this.#lateMs = Math.max(0, nowMs - this.#expectedMs);
    this.#expectedMs = nowMs + LOAD_INTERVAL_MS;
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    this.#firedMs = nowMs;
    this.#afterTurn(this.#onTurnEnd);
  }

  watch(work: () => void): void {
    this.#watch = work;
  }

  readonly #onTurnEnd = (): void => {
    this.#isUnderWay = false;
    const nowMs = this.#clock.monotonic();
    this.turnMs = Math.max(this.#lateMs, nowMs - this.#firedMs);
    this.#last = (this.#last + 1) % TURNS;
    this.#begins[this.#last] = this.#firedMs - this.#lateMs;
    this.#ends[this.#last] = nowMs;
    this.#turns[this.#last] = this.turnMs;
    this.#cpus[this.#last] = this.#facts.cpuMs();
    this.#lookBack(nowMs);
    if (nowMs - this.#memoryAtMs >= MEMORY_EVERY_MS) this.#weigh(nowMs);
    this.#watch?.();
  };

  /** Over the turns that began within the last tenth of a second, and the one before. */
  #lookBack(nowMs: number): void {
    let least = this.turnMs;
    let at = this.#last;
    for (let turns = 2; turns <= TURNS; turns++) {
      at = (at + TURNS - 1) % TURNS;
      least = Math.min(least, this.#turns[at]);
      if (nowMs - this.#begins[at] >= STANDING_MS) break;
    }
    this.lagMs = least;
    this.cpuShare = (this.#cpus[this.#last] - this.#cpus[at]) / (nowMs - this.#ends[at]);
  }

  #weigh(nowMs: number): void {
    this.#memoryAtMs = nowMs;
    const { used, limit } = this.#facts.heap();
    this.heapShare = used / limit;
    this.residentBytes = this.#facts.residentBytes();
  }
}
