import { threadId } from 'node:worker_threads';
import type { Random } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import { allocateSlots, REFUSED_FOR_SPACE, SEED_HIGH, SEED_LOW } from './layout.ts';
import { FREE, NONE, Places, WAITS } from './places.ts';
import { rebuild } from './rebuild.ts';
import { ownerOf, type Schedule, scheduleTimer } from './worker-slots.ts';

export interface SlotsOptions {
  /** Seeds the hash of keys. */
  readonly random: Random;
  /** Keys with something held at one time, rounded up to a power of two. Default 262,144 (6 MB when full). */
  readonly maxKeys?: number;
  /** Threads that attach, not counting those that take the place of others. Default 8. */
  readonly threads?: number;
  /** Places that one thread holds at one time, of all keys. Default 262,144 (1 MB when they are all held). */
  readonly heldPerThread?: number;
  /**
   * Requests of one thread that wait at one time. Of one attachment no more than it leaves free to others: alone, half of
   * them. Default 8192.
   */
  readonly waitingPerThread?: number;
  readonly schedule?: Schedule;
}

/** The side that owns the places of a node: the thread that starts the workers. */
export interface Slots {
  /** Goes to every worker, which attaches to it. */
  readonly buffer: SharedArrayBuffer;
  /**
   * Gives back what a worker held when it was ended, and takes its requests out of all queues; call with its `threadId`
   * once it has exited, never before. What cannot be had at once, since another dead thread has it locked, follows.
   */
  release(endedThreadId: number): void;
  /** `refusedForSpace`: requests refused since other keys held all places that theirs may have. */
  stats(): { readonly maxKeys: number; readonly refusedForSpace: number };
}

/** As long as a dead thread's lock may stay before somebody calls `release` for it. */
const RETRY_MS = 50;

/** Makes the places of a node. Bounded memory, allocated once. */
export function createSlots(options: SlotsOptions): Slots {
  const threads = options.threads ?? 8;
  const buffer = allocateSlots({
    maxKeys: options.maxKeys ?? 262_144,
    // Each may attach twice, and have an heir beside it.
    rows: 4 * threads + 4,
    ticketsPerRow: options.heldPerThread ?? 262_144,
    waitersPerRow: Math.ceil((options.waitingPerThread ?? 8192) / 32) * 32,
  });
  const keeper = new SlotKeeper(buffer, options.schedule ?? scheduleTimer);
  const { header, hashes } = keeper.places.memory;
  header[SEED_LOW] = Number.parseInt(options.random.hex(4), 16);
  header[SEED_HIGH] = Number.parseInt(options.random.hex(4), 16);
  return {
    buffer,
    release: (endedThreadId) => keeper.release(endedThreadId),
    stats: () => ({
      maxKeys: hashes.length / 2,
      refusedForSpace: Atomics.load(header, REFUSED_FOR_SPACE) >>> 0,
    }),
  };
}

class SlotKeeper {
  readonly places: Places;
  readonly #owner = ownerOf(threadId);
  readonly #schedule: Schedule;
  /** Owners that have ended and still hold something. */
  readonly #ended = new Set<number>();

  constructor(buffer: SharedArrayBuffer, schedule: Schedule) {
    this.places = new Places(buffer, this.#owner, NONE);
    this.#schedule = schedule;
  }

  release(endedThreadId: number): void {
    this.#ended.add(ownerOf(endedThreadId));
    this.#clear();
  }

  #clear(): void {
    for (const owner of this.#ended) {
      try {
        this.#clearOwner(owner);
        this.#ended.delete(owner);
      } catch (cause) {
        if (!(cause instanceof InternalError)) throw cause;
        // Another that is dead as well has a bucket locked. What was done is done; the rest is tried again.
        this.#schedule(() => this.#clear(), RETRY_MS);
      }
    }
  }

  #clearOwner(owner: number): void {
    const { locks, owners } = this.places.memory;
    for (let bucket = 0; bucket < locks.length; bucket++) {
      if (Atomics.compareExchange(locks, bucket, owner, this.#owner) !== owner) continue;
      try {
        rebuild(this.places, bucket);
      } finally {
        this.places.unlock(bucket);
      }
    }
    for (let row = 0; row < owners.length; row++) {
      if (Atomics.load(owners, row) !== owner) continue;
      this.#clearWaiters(row);
      this.#clearTickets(row);
      Atomics.store(owners, row, 0);
    }
  }

  /** Before its tickets, or the dead would be given what they give back. */
  #clearWaiters(row: number): void {
    const { waitersPerRow, told, wakes } = this.places.memory;
    const end = (row + 1) * waitersPerRow;
    for (let waiter = row * waitersPerRow; waiter < end; waiter++) {
      if (this.places.stateOf(waiter) === FREE) continue;
      const bucket = this.places.lockOf(this.places.placeOf(waiter));
      if (this.places.stateOf(waiter) === WAITS) this.places.leave(waiter, FREE);
      else this.places.setFree(waiter);
      this.places.unlock(bucket);
    }
    told.fill(0, (row * waitersPerRow) >>> 5, end >>> 5);
    Atomics.store(wakes, row, 0);
  }

  #clearTickets(row: number): void {
    const { tickets, ticketsPerRow } = this.places.memory;
    const end = (row + 1) * ticketsPerRow;
    for (let ticket = row * ticketsPerRow; ticket < end; ticket++) {
      if (tickets[ticket] === 0) continue;
      const place = tickets[ticket] - 1;
      const bucket = this.places.lockOf(place);
      this.places.giveBack(place, ticket);
      this.places.unlock(bucket);
    }
  }
}
