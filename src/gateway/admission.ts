import type { OverloadPlan, WorkerLoad } from '../contract/index.ts';

/** While requests are refused, the loop is held to this part of what made it begin, so that it does not begin again at once. */
const HELD_PART = 0.1;
/** The loop cannot be held to less than a few requests of a usual price. */
const LEAST_HELD_MS = 2;
/** So much less or more is let on (as DAGOR does: down fast, up slowly), by the last of the two where the loop is far from late. */
const DOWN = 0.92;
const UP = 1.02;
const UP_FAST = 1.04;
/** How often: what was let on before has to be worked off first, or what is done now has no effect that can be seen. */
const EVERY_MS = 100;
/** With less of a core the process is held up by others more than by what it does. */
const OWN_SHARE = 0.5;
const STARVED = 4;
/** As many as come. */
const ANY = Number.POSITIVE_INFINITY;
/** The same for how many are under way. */
const ROOM_DOWN = 0.8;
const ROOM_UP = 1.1;
const LEAST_ROOM = 8;
/** Each next rank may have so much more. */
const ROOM_STEP = 0.25;
/** A queue is worked off with the rest, and no moment of bad luck closes the gate. */
const LEAST_PART = 0.8;
/** Of what is seen of the capacity, so much is believed each time. */
const LEARNT = 0.3;
/** Nobody was refused for so long: it is over. */
const OVER_MS = 1000;
/** Weight of the latest measurement in rates. */
const LATEST = 0.3;
/** Each next rank is refused when memory is above its bound by so much more. */
const MEMORY_STEP = 0.025;

/**
 * How many requests of each rank (0 is the most important) are let on. What is let on in all follows the event loop, up
 * and down; it is given to the ranks in turn, as many as came last, and the rank it does not suffice for gets what is
 * left, evenly. (Zhou et al., "Overload Control for Scaling WeChat Microservices", SoCC 2018, with rates in place of
 * levels, and the delay of the loop in place of a queue's.)
 */
export class Admission {
  /** Since the last measurement. */
  readonly #arrived: Float64Array;
  /** Requests per millisecond. */
  readonly #rates: Float64Array;
  /** The part of each rank that is let on. */
  readonly #shares: Float64Array;
  /** What is owed to each rank of its part. */
  readonly #owed: Float64Array;
  readonly #refusedMsAgo: Float64Array;
  #admitted = 0;
  /** Requests between the two measurements before. */
  #cameBefore = 0;
  #admittedPerMs = 0;
  #refused = 0;
  /** Let on in all, in requests per millisecond. */
  #allowed = ANY;
  /** What was served while the loop was late, in requests per millisecond. */
  #capacity = 0;
  #sinceFollowedMs = EVERY_MS;
  #refusedSince = 0;
  #calmMs = 0;
  #isMemoryShort = false;
  isShedding = false;
  refusedPerMs = 0;
  /** Requests that policies are being asked about: those wait for the pool of threads. */
  underWay = 0;
  /** So many of the least important may be. */
  #room = ANY;

  constructor(ranks: number) {
    this.#arrived = new Float64Array(ranks);
    this.#rates = new Float64Array(ranks);
    this.#shares = new Float64Array(ranks).fill(1);
    this.#owed = new Float64Array(ranks);
    this.#refusedMsAgo = new Float64Array(ranks).fill(Number.POSITIVE_INFINITY);
  }

  /** Everybody is let on again. */
  open(): void {
    this.isShedding = false;
    this.#allowed = ANY;
    this.#room = ANY;
    this.#calmMs = 0;
    this.#shares.fill(1);
  }

  admits(rank: number): boolean {
    this.#arrived[rank]++;
    if (!this.isShedding) {
      this.#admitted++;
      return true;
    }
    if (this.underWay >= this.#room * (1 + ROOM_STEP * (this.#shares.length - 1 - rank))) {
      this.refuse(rank);
      return false;
    }
    const share = this.#shares[rank];
    this.#owed[rank] += share;
    // Who comes alone is never too many.
    if (this.#owed[rank] >= 1 || (this.#cameBefore <= 1 && this.#admitted === 0)) {
      this.#owed[rank] = Math.max(0, this.#owed[rank] - 1);
      this.#admitted++;
      return true;
    }
    this.refuse(rank);
    return false;
  }

  /** Counts one that is refused without competing with the others. */
  refuse(rank: number): void {
    this.#refused++;
    this.#refusedMsAgo[rank] = 0;
  }

  /** Whether any of a rank, or of a more important one, was refused in the last second. */
  isShort(rank: number): boolean {
    if (!this.isShedding) return false;
    for (let above = 0; above <= rank; above++) if (this.#refusedMsAgo[above] < OVER_MS) return true;
    return false;
  }

  /** So many more requests per millisecond than come could be let on. */
  get spare(): number {
    if (this.#isMemoryShort) return 0;
    let all = 0;
    for (const rate of this.#rates) all += rate;
    return Math.max(0, this.#allowed - all);
  }

  /** Takes a measurement, after so many milliseconds. */
  adjust(elapsedMs: number, load: WorkerLoad, plan: OverloadPlan): void {
    this.#measure(elapsedMs);
    this.#refusedSince += this.#refused;
    const firstRefused = this.#firstRefusedByMemory(load, plan);
    const isShort = firstRefused < this.#shares.length;
    this.#isMemoryShort = isShort;
    // Where others have the core, a loop is late with little to do as well: then only when it is very late.
    const isOwn = load.cpuShare >= OWN_SHARE;
    const isLate = load.lagMs > plan.lagMs * (isOwn ? 1 : STARVED);
    if (!this.isShedding && !isLate && !isShort) return;
    this.isShedding = true;
    // What was served while the loop was never free is what can be served.
    if (isLate && this.#allowed === ANY) {
      this.#capacity = this.#admittedPerMs;
      this.#allowed = this.#capacity;
    }
    const heldMs = Math.max(LEAST_HELD_MS, plan.lagMs * HELD_PART) * (isOwn ? 1 : STARVED);
    this.#sinceFollowedMs += elapsedMs;
    if (this.#sinceFollowedMs >= EVERY_MS) this.#follow(load.lagMs / heldMs, elapsedMs);
    this.#share(firstRefused);
    this.#calmMs = this.#refused > 0 || isShort ? 0 : this.#calmMs + elapsedMs;
    this.#refused = 0;
    if (this.#calmMs >= OVER_MS) this.open();
  }

  #measure(elapsedMs: number): void {
    this.#cameBefore = 0;
    for (let rank = 0; rank < this.#rates.length; rank++) {
      this.#refusedMsAgo[rank] += elapsedMs;
      this.#cameBefore += this.#arrived[rank];
      this.#rates[rank] += LATEST * (this.#arrived[rank] / elapsedMs - this.#rates[rank]);
      this.#arrived[rank] = 0;
    }
    this.#admittedPerMs += LATEST * (this.#admitted / elapsedMs - this.#admittedPerMs);
    this.refusedPerMs += LATEST * (this.#refused / elapsedMs - this.refusedPerMs);
    this.#admitted = 0;
  }

  /** `part`: how late the loop is, where 1 is what it is held to. */
  #follow(part: number, elapsedMs: number): void {
    this.#sinceFollowedMs = 0;
    // Less than what was let on, not than what might have been.
    if (part > 1) this.#room = Math.max(LEAST_ROOM, Math.min(this.#room, this.underWay) * ROOM_DOWN);
    else if (this.#refusedSince > 0) this.#room *= ROOM_UP;
    if (part > 1) this.#allowed = Math.min(this.#allowed, this.#admittedPerMs) * DOWN;
    // As long as nobody is refused, more would be no more.
    else if (this.#refusedSince > 0) this.#allowed *= part < 0.5 ? UP_FAST : UP;
    this.#learn(part > 1);
    // One at a time can be served, whatever it is that takes so long.
    this.#allowed = Math.max(1 / elapsedMs, this.#capacity * LEAST_PART, this.#allowed);
    this.#refusedSince = 0;
  }

  /** What is let on while the loop is late is more than it can do, by little; what is while it is not, it can do. */
  #learn(isLate: boolean): void {
    const more = this.#admittedPerMs - this.#capacity;
    if (isLate) this.#capacity += more * LEARNT;
    else if (more > 0) this.#capacity = this.#admittedPerMs;
  }

  #share(firstRefused: number): void {
    let left = this.#allowed;
    for (let rank = 0; rank < this.#shares.length; rank++) {
      const wanted = this.#rates[rank];
      const isRefused = rank >= firstRefused || left === 0;
      this.#shares[rank] = isRefused ? 0 : Math.min(1, left / wanted);
      left = Math.max(0, left - wanted);
    }
  }

  /** The first rank there is no memory for; none when there is enough. */
  #firstRefusedByMemory(load: WorkerLoad, { memory }: OverloadPlan): number {
    const used =
      'bytes' in memory
        ? load.residentBytes / memory.bytes
        : Math.max(load.heapShare, load.residentBytes / load.residentLimitBytes) / memory.share;
    const ranks = this.#shares.length;
    return used < 1 ? ranks : Math.max(0, ranks - 1 - Math.floor((used - 1) / MEMORY_STEP));
  }
}
