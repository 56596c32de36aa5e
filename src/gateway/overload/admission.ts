import type { OverloadPlan, WorkerLoad } from '../../contract/index.ts';
import { CROWD, Crowd, RATE_MS } from './crowd.ts';
import { Room } from './room.ts';

/** While requests are refused, the loop is held to this part of what made it begin. */
const HELD_PART = 0.1;
/** The loop cannot be held to less than a few requests of a usual price. */
const LEAST_HELD_MS = 2;
/** With less of a core it is held up by others more than by what it does. */
const OWN_SHARE = 0.5;
/** With fewer under way the pool of threads is not what the process is busy with. */
const POOL_BUSY = 4;
/** Where others have the core it begins when the loop is so much later, and is held to so much more. */
const STARVED = 10;
const STARVED_HELD = 4;
/** A worker that has just begun waits for itself: nothing it runs is compiled yet. */
const START_MS = 1000;
/** As many as come. */
const ANY = Number.POSITIVE_INFINITY;
/** So much more than is served may come to the room, which is what holds. */
const MORE = 1.1;
/** Where the room is never full more is let on, by the last of the two where the loop is far from late. */
const UP = 1.03;
const UP_FAST = 1.12;
/** So what could be served once is forgotten. */
const KEPT = 0.99;
/** Each next rank may have so much more room. */
const ROOM_STEP = 0.5;
/** Nobody was refused for so long: it is over. */
const OVER_MS = 1000;
/** Each next rank is refused when memory is above its bound by so much more. */
const MEMORY_STEP = 0.025;

/** What the loop is held to while requests are refused, in milliseconds. */
export function heldOf({ lagMs }: OverloadPlan): number {
  return Math.max(LEAST_HELD_MS, lagMs * HELD_PART);
}

/**
 * How many requests of each rank (0 is the most important) are let on. It begins when a crowd waits for what this worker
 * does. Then two things hold: a room, which bounds how long those that are let on wait for one another; and a rate a
 * little above what the room lets through, which is given to the ranks in turn, as many as came last: the rank it does
 * not suffice for gets what is left, evenly. (Zhou et al., "Overload Control for Scaling WeChat Microservices", SoCC
 * 2018, with rates in place of levels.)
 */
export class Admission {
  readonly #crowd: Crowd;
  readonly #room = new Room();
  /** The part of each rank that is let on. */
  readonly #shares: Float64Array;
  /** What is owed to each rank of its part. */
  readonly #owed: Float64Array;
  readonly #refusedMsAgo: Float64Array;
  /** The first rank there is no memory for. */
  #firstRefused: number;
  #admitted = 0;
  #admittedPerMs = 0;
  #refused = 0;
  /** Since the last measurement, the room was full. */
  #wasFull = false;
  /** Let on in all, in requests per millisecond. */
  #allowed = ANY;
  /** What is served while more come, in requests per millisecond. */
  #capacity = 0;
  #ageMs = 0;
  #calmMs = 0;
  /** Whether the loop is busy with what it does, and not kept from its core. */
  #isOwn = false;
  /** Requests that policies are being asked about: those may wait for the pool of threads. */
  #underWay = 0;
  /** Decided about in this turn of the loop: what they take of it is taken by now, or soon. */
  #leaving = 0;
  isShedding = false;
  refusedPerMs = 0;

  constructor(ranks: number) {
    this.#crowd = new Crowd(ranks);
    this.#shares = new Float64Array(ranks).fill(1);
    this.#owed = new Float64Array(ranks);
    this.#refusedMsAgo = new Float64Array(ranks).fill(Number.POSITIVE_INFINITY);
    this.#firstRefused = ranks;
  }

  /** Everybody is let on again. */
  open(): void {
    this.isShedding = false;
    this.#allowed = ANY;
    this.#firstRefused = this.#shares.length;
    this.#calmMs = 0;
    this.#room.open();
    this.#shares.fill(1);
  }

  admits(rank: number): boolean {
    this.#crowd.came(rank);
    if (!this.isShedding || this.#isLetOn(rank)) {
      this.#admitted++;
      return true;
    }
    this.refuse(rank);
    return false;
  }

  /** One that was let on is asked about. */
  began(): void {
    this.#underWay++;
  }

  /** It was decided about, and leaves with the end of this turn of the loop. */
  decided(): void {
    this.#underWay--;
    if (this.isShedding) this.#leaving++;
  }

  turnEnded(): void {
    this.#leaving = 0;
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

  /** Requests per millisecond that may come, as far as memory goes. */
  get wantedPerMs(): number {
    return this.#isMemoryShort ? 0 : this.#allowed;
  }

  get #isMemoryShort(): boolean {
    return this.#firstRefused < this.#shares.length;
  }

  #isLetOn(rank: number): boolean {
    // Who comes alone is never too many.
    if (this.#crowd.before <= 1 && this.#admitted === 0) return true;
    if (rank >= this.#firstRefused) return false;
    // It is not these few that make it late.
    if (!this.#isOwn && this.#crowd.isFew) return true;
    if (
      this.#underWay + this.#leaving >=
      this.#room.size * (1 + ROOM_STEP * (this.#shares.length - 1 - rank))
    ) {
      this.#wasFull = true;
      return false;
    }
    this.#owed[rank] += this.#shares[rank];
    if (this.#owed[rank] < 1) return false;
    this.#owed[rank]--;
    return true;
  }

  /** Takes a measurement, after so many milliseconds. */
  adjust(elapsedMs: number, load: WorkerLoad, plan: OverloadPlan): void {
    this.#measure(elapsedMs);
    this.#firstRefused = this.#firstRefusedByMemory(load, plan);
    const inPool = load.cpuShare >= OWN_SHARE && this.#underWay >= POOL_BUSY;
    this.#isOwn = load.threadShare >= OWN_SHARE || inPool;
    const isLate = this.#isLate(load.lagMs, plan);
    if (!this.isShedding && !isLate && !this.#isMemoryShort) return;
    this.isShedding = true;
    const heldMs = heldOf(plan);
    if (this.#allowed !== ANY)
      this.#follow(load.turnMs / (this.#isOwn ? heldMs : heldMs * STARVED_HELD), heldMs);
    else if (isLate) this.#begin(heldMs);
    this.#share();
    this.#calmMs = this.#refused > 0 || this.#isMemoryShort ? 0 : this.#calmMs + elapsedMs;
    this.#refused = 0;
    this.#wasFull = false;
    if (this.#calmMs >= OVER_MS) this.open();
  }

  #measure(elapsedMs: number): void {
    this.#ageMs += elapsedMs;
    this.#crowd.measure(elapsedMs);
    for (let rank = 0; rank < this.#shares.length; rank++) this.#refusedMsAgo[rank] += elapsedMs;
    const latest = Math.min(1, elapsedMs / RATE_MS);
    this.#admittedPerMs += latest * (this.#admitted / elapsedMs - this.#admittedPerMs);
    this.refusedPerMs += latest * (this.#refused / elapsedMs - this.refusedPerMs);
    this.#admitted = 0;
  }

  /** Whether refusing would help: the loop is late, and it is many requests that make it so. */
  #isLate(lagMs: number, plan: OverloadPlan): boolean {
    if (this.#ageMs < START_MS || lagMs <= plan.lagMs * (this.#isOwn ? 1 : STARVED)) return false;
    return this.#crowd.isCrowd(this.#isOwn) || (this.#isOwn && this.#underWay >= CROWD);
  }

  /** What was served while the loop was never free is about what can be served. */
  #begin(heldMs: number): void {
    this.#capacity = this.#admittedPerMs;
    this.#allowed = this.#capacity * MORE;
    this.#room.begin(this.#capacity * heldMs);
    this.#leaving = 0;
  }

  /** `part`: how late the loop is, where 1 is what it is held to. */
  #follow(part: number, heldMs: number): void {
    if (this.#refused > 0) this.#capacity = Math.max(this.#admittedPerMs, this.#capacity * KEPT);
    this.#room.follow(part, this.#capacity * heldMs, this.#wasFull);
    // Where the room held some back, what came through is what can be served.
    if (this.#wasFull || this.#room.isTight)
      this.#allowed = Math.max(this.#admittedPerMs, this.#capacity) * MORE;
    // As long as nobody is refused, more would be no more.
    else if (this.#refused > 0) this.#allowed *= part < 0.5 ? UP_FAST : UP;
  }

  #share(): void {
    let left = this.#allowed;
    for (let rank = 0; rank < this.#shares.length; rank++) {
      const wanted = this.#crowd.rates[rank];
      const isRefused = rank >= this.#firstRefused || left === 0;
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
