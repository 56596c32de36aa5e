import { randomFill } from 'node:crypto';
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { Clock, WorkerLoad } from '../contract/index.ts';

/** How often it is measured while there is something to do. */
const BUSY_MS = 20;
/** Waking a thread costs more than the measurement (about 0.1 ms): one that has little to do is left alone for longer. */
const IDLE_MS = 100;
/** From when on there is something to do. */
const BUSY_TURN_MS = 1;
const BUSY_SHARE = 0.5;
/** So long all turns have to be late before the loop counts as late. */
const STANDING_MS = 100;
/** Of so many turns it is remembered. */
const TURNS = 8;
const MEMORY_EVERY_MS = 500;

/** What is asked of the system. */
export interface ThreadFacts {
  /** CPU time of the process so far, in milliseconds. */
  cpuMs(): number;
  /** Of this thread. */
  threadCpuMs(): number;
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
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    threadCpuMs() {
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

/** The turns of an event loop. */
export interface Turns {
  after(delayMs: number, work: () => void): void;
  /** Once what is ready now was worked off. */
  atEnd(work: () => void): void;
  /** Once what waits for a thread of the pool now has had one: signatures and passwords are verified there. */
  afterPool(work: () => void): void;
}

/** The least that can be asked of the pool. */
const ONE_BYTE = new Uint8Array(1);

const LOOP_TURNS: Turns = Object.freeze({
  after: (delayMs: number, work: () => void) => void setTimeout(work, delayMs).unref(),
  atEnd: (work: () => void) => void setImmediate(work),
  afterPool: (work: () => void) => randomFill(ONE_BYTE, work),
});

/**
 * Measures how late the event loop of this thread is with what is due. A timer comes late by what the turn before took,
 * and the turn it starts takes as long as all that is ready takes to be worked off; work for the pool of threads waits
 * there. The longest of these is what a request waits for its turn now. `lagMs` is the least of the last tenth of a second: a queue that stands, and not a
 * pause of the collector, which is one late turn however long (as in Nichols and Jacobson, "Controlling Queue Delay", 2012).
 */
export class LoadMeter implements WorkerLoad {
  readonly residentLimitBytes: number;
  turnMs = 0;
  lagMs = 0;
  cpuShare = 0;
  threadShare = 0;
  heapShare = 0;
  residentBytes = 0;
  readonly #clock: Clock;
  readonly #facts: ThreadFacts;
  readonly #turns: Turns;
  /** The latest turns in a ring: when they began, how long they took, and the CPU time at their end. */
  readonly #begins = new Float64Array(TURNS).fill(Number.NEGATIVE_INFINITY);
  readonly #lengths = new Float64Array(TURNS);
  readonly #ends = new Float64Array(TURNS);
  readonly #cpus = new Float64Array(TURNS);
  readonly #threadCpus = new Float64Array(TURNS);
  #last = 0;
  #expectedMs = 0;
  #firedMs = 0;
  #lateMs = 0;
  /** When the pool was asked, and by then how late it was the time before. */
  #askedAtMs: number | undefined = undefined;
  #poolMs = 0;
  #memoryAtMs = Number.NEGATIVE_INFINITY;
  #watch: (() => void) | undefined = undefined;

  constructor(clock: Clock, facts: ThreadFacts = threadFacts(), turns: Turns = LOOP_TURNS) {
    this.#clock = clock;
    this.#facts = facts;
    this.#turns = turns;
    this.residentLimitBytes = facts.residentLimitBytes;
  }

  /** Measures from now on. */
  start(): void {
    this.#expectedMs = this.#clock.monotonic() + BUSY_MS;
    this.#turns.after(BUSY_MS, this.#onTimer);
  }

  watch(work: () => void): void {
    this.#watch = work;
  }

  readonly #onTimer = (): void => {
    this.#firedMs = this.#clock.monotonic();
    this.#lateMs = Math.max(0, this.#firedMs - this.#expectedMs);
    if (this.#askedAtMs === undefined) {
      this.#askedAtMs = this.#firedMs;
      this.#turns.afterPool(this.#onPool);
    }
    this.#turns.atEnd(this.#onTurnEnd);
  };

  readonly #onPool = (): void => {
    if (this.#askedAtMs !== undefined) this.#poolMs = this.#clock.monotonic() - this.#askedAtMs;
    this.#askedAtMs = undefined;
  };

  readonly #onTurnEnd = (): void => {
    const nowMs = this.#clock.monotonic();
    // One that was asked longer ago than it took the last time is at least so late.
    if (this.#askedAtMs !== undefined) this.#poolMs = Math.max(this.#poolMs, this.#firedMs - this.#askedAtMs);
    this.turnMs = Math.max(this.#lateMs, nowMs - this.#firedMs, this.#poolMs);
    this.#last = (this.#last + 1) % TURNS;
    this.#begins[this.#last] = this.#firedMs - this.#lateMs;
    this.#ends[this.#last] = nowMs;
    this.#lengths[this.#last] = this.turnMs;
    this.#cpus[this.#last] = this.#facts.cpuMs();
    this.#threadCpus[this.#last] = this.#facts.threadCpuMs();
    this.#lookBack(nowMs);
    if (nowMs - this.#memoryAtMs >= MEMORY_EVERY_MS) this.#weigh(nowMs);
    this.#watch?.();
    const isBusy = this.turnMs >= BUSY_TURN_MS || this.cpuShare >= BUSY_SHARE;
    this.#expectedMs = nowMs + (isBusy ? BUSY_MS : IDLE_MS);
    this.#turns.after(isBusy ? BUSY_MS : IDLE_MS, this.#onTimer);
  };

  /** Over the turns that began within the last tenth of a second, and the one before. */
  #lookBack(nowMs: number): void {
    let least = this.turnMs;
    let at = this.#last;
    for (let turns = 2; turns <= TURNS; turns++) {
      at = (at + TURNS - 1) % TURNS;
      least = Math.min(least, this.#lengths[at]);
      if (nowMs - this.#begins[at] >= STANDING_MS) break;
    }
    this.lagMs = least;
    const spanMs = nowMs - this.#ends[at];
    this.cpuShare = (this.#cpus[this.#last] - this.#cpus[at]) / spanMs;
    this.threadShare = (this.#threadCpus[this.#last] - this.#threadCpus[at]) / spanMs;
  }

  #weigh(nowMs: number): void {
    this.#memoryAtMs = nowMs;
    const { used, limit } = this.#facts.heap();
    this.heapShare = used / limit;
    this.residentBytes = this.#facts.residentBytes();
  }
}
