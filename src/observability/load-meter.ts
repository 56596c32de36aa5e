import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { Clock, WorkerLoad } from '../contract/index.ts';

/** Often enough to notice within a tenth of a second, seldom enough to cost nothing (10 µs each time). */
export const LOAD_INTERVAL_MS = 20;
/** So long all turns have to be late before the loop counts as late. */
const STANDING_MS = 100;
/** A pause of the collector, or of the whole machine, is one late turn, however long. */
const LEAST_TURNS = 2;
/** Of so many turns it is remembered. */
const TURNS = 8;
const MEMORY_EVERY_MS = 500;

/** What is asked of the system about memory. */
export interface MemoryFacts {
  /** Heap of this thread that is in use, and the most it may have, in bytes. */
  heap(): { readonly used: number; readonly limit: number };
  /** Of the process. */
  residentBytes(): number;
  /** What the process may have. */
  readonly residentLimitBytes: number;
}

/** The facts of this thread and its process. */
export function memoryFacts(): MemoryFacts {
  const constrained = process.constrainedMemory();
  const all = totalmem();
  return {
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
 * request waits for its turn now. `lagMs` is the least of the last tenth of a second: a queue that stands, and not a pause (as in
 * Nichols and Jacobson, "Controlling Queue Delay", 2012).
 */
export class LoadMeter implements WorkerLoad {
  readonly residentLimitBytes: number;
  turnMs = 0;
  lagMs = 0;
  heapShare = 0;
  residentBytes = 0;
  readonly #clock: Clock;
  readonly #memory: MemoryFacts;
  readonly #afterTurn: (work: () => void) => void;
  /** The latest turns in a ring: when they began, and how long they took. */
  readonly #begins = new Float64Array(TURNS).fill(Number.NEGATIVE_INFINITY);
  readonly #turns = new Float64Array(TURNS);
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
    memory: MemoryFacts = memoryFacts(),
    afterTurn: (work: () => void) => void = setImmediate,
  ) {
    this.#clock = clock;
    this.#memory = memory;
    this.#afterTurn = afterTurn;
    this.residentLimitBytes = memory.residentLimitBytes;
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
    this.#turns[this.#last] = this.turnMs;
    this.lagMs = this.#standing(nowMs);
    if (nowMs - this.#memoryAtMs >= MEMORY_EVERY_MS) this.#weigh(nowMs);
    this.#watch?.();
  };

  /** The shortest of the turns that began within the last tenth of a second, and of the one before. */
  #standing(nowMs: number): number {
    let least = this.turnMs;
    for (let back = 1; back < TURNS; back++) {
      const at = (this.#last + TURNS - back) % TURNS;
      least = Math.min(least, this.#turns[at]);
      if (back + 1 >= LEAST_TURNS && nowMs - this.#begins[at] >= STANDING_MS) break;
    }
    return least;
  }

  #weigh(nowMs: number): void {
    this.#memoryAtMs = nowMs;
    const { used, limit } = this.#memory.heap();
    this.heapShare = used / limit;
    this.residentBytes = this.#memory.residentBytes();
  }
}
