import { dropLock, takeLock } from '../counters/bucket-lock.ts';
import {
  ARRIVAL,
  ARRIVALS,
  HELD,
  LIMIT,
  LIST_WORDS,
  NEXT,
  openSlots,
  PLACE,
  PLACE_WORDS,
  PREVIOUS,
  RANK,
  REFUSED_FOR_SPACE,
  type SlotMemory,
  STATE,
  TICKET,
  WAITER_WORDS,
  WAITING,
  WAYS,
} from './layout.ts';

/** No place, no waiter, no ticket, no row. */
export const NONE = -1;

/** States of a waiter. */
export const FREE = 0;
export const WAITS = 1;
/** It has a place: its ticket says which. */
export const GRANTED = 2;
/** One that matters more stands in its place in the queue. */
export const DISPLACED = 3;

const RANKS = LIST_WORDS / 2;

/**
 * The places of keys and those that wait for them, as one thread changes them. All but `lock` is for who holds the lock
 * of the key's bucket.
 */
export class Places {
  readonly memory: SlotMemory;
  /** Whether one of the own row was told something, for who let the lock go to see to. */
  hasToldOwn = false;
  /** The row of whom it works for. */
  readonly #row: number;
  /** As locks know the thread. */
  readonly #owner: number;

  /** `row` is NONE for who neither holds nor waits. Throws InternalError for a buffer of something else. */
  constructor(buffer: SharedArrayBuffer, owner: number, row: number) {
    this.memory = openSlots(buffer);
    this.#owner = owner;
    this.#row = row;
  }

  /** Locks the bucket of keys whose hash ends in `low`, and says which it is. Throws InternalError as `takeLock` does. */
  lock(low: number): number {
    const bucket = low & this.memory.mask;
    takeLock(this.memory.locks, bucket, this.#owner);
    return bucket;
  }

  lockOf(place: number): number {
    const bucket = Math.floor(place / WAYS);
    takeLock(this.memory.locks, bucket, this.#owner);
    return bucket;
  }

  unlock(bucket: number): void {
    dropLock(this.memory.locks, bucket);
  }

  /** The key's place, or NONE. */
  find(bucket: number, low: number, high: number): number {
    const { hashes } = this.memory;
    const first = bucket * WAYS;
    for (let place = first; place < first + WAYS; place++) {
      if (hashes[place * 2] === low && hashes[place * 2 + 1] === high) return place;
    }
    return NONE;
  }

  /** The key's place, or that of a key of which nobody holds anything; NONE, and counted, when there is none. */
  claim(bucket: number, low: number, high: number): number {
    const known = this.find(bucket, low, high);
    if (known !== NONE) return known;
    const { hashes, places, header } = this.memory;
    const first = bucket * WAYS;
    for (let place = first; place < first + WAYS; place++) {
      const at = place * PLACE_WORDS;
      if (places[at + HELD] !== 0 || places[at + WAITING] !== 0) continue;
      hashes[place * 2] = low;
      hashes[place * 2 + 1] = high;
      return place;
    }
    // To forget a key that is held would lift its limit: the new one is refused.
    Atomics.add(header, REFUSED_FOR_SPACE, 1);
    return NONE;
  }

  held(place: number): number {
    return this.memory.places[place * PLACE_WORDS + HELD];
  }

  waiting(place: number): number {
    return this.memory.places[place * PLACE_WORDS + WAITING];
  }

  /** The limit from now on; who waits is let in as far as it admits. */
  setLimit(place: number, limit: number): void {
    this.memory.places[place * PLACE_WORDS + LIMIT] = limit;
    if (this.waiting(place) > 0) this.handOut(place);
  }

  /** Returns how many are held with it. */
  take(place: number, ticket: number): number {
    const { tickets, places } = this.memory;
    tickets[ticket] = place + 1;
    return ++places[place * PLACE_WORDS + HELD];
  }

  /** Gives back what the ticket holds: to who waits, where somebody does. */
  giveBack(place: number, ticket: number): void {
    const { tickets, places } = this.memory;
    tickets[ticket] = 0;
    places[place * PLACE_WORDS + HELD]--;
    if (places[place * PLACE_WORDS + WAITING] > 0) this.handOut(place);
  }

  /** Stands in behind all that matter as much or more. `ticket` is what it will hold its place by. */
  enqueue(place: number, waiter: number, ticket: number, rank: number): void {
    const { waiters, header } = this.memory;
    const at = waiter * WAITER_WORDS;
    waiters[at + TICKET] = ticket;
    waiters[at + PLACE] = place;
    waiters[at + RANK] = rank;
    waiters[at + ARRIVAL] = Atomics.add(header, ARRIVALS, 1);
    Atomics.store(waiters, at + STATE, WAITS);
    this.link(place, waiter, rank);
  }

  /** Appends one that says that it waits to its list. */
  link(place: number, waiter: number, rank: number): void {
    const { waiters, lists, places } = this.memory;
    const at = waiter * WAITER_WORDS;
    const list = place * LIST_WORDS + rank * 2;
    const last = lists[list + 1];
    waiters[at + PREVIOUS] = last;
    waiters[at + NEXT] = 0;
    if (last === 0) lists[list] = waiter + 1;
    else waiters[(last - 1) * WAITER_WORDS + NEXT] = waiter + 1;
    lists[list + 1] = waiter + 1;
    places[place * PLACE_WORDS + WAITING]++;
  }

  /** Takes one that waits out of its list, and leaves it in `state`. */
  leave(waiter: number, state: number): void {
    const { waiters, lists, places } = this.memory;
    const at = waiter * WAITER_WORDS;
    const place = waiters[at + PLACE];
    const list = place * LIST_WORDS + waiters[at + RANK] * 2;
    const previous = waiters[at + PREVIOUS];
    const next = waiters[at + NEXT];
    if (previous === 0) lists[list] = next;
    else waiters[(previous - 1) * WAITER_WORDS + NEXT] = next;
    if (next === 0) lists[list + 1] = previous;
    else waiters[(next - 1) * WAITER_WORDS + PREVIOUS] = previous;
    places[place * PLACE_WORDS + WAITING]--;
    Atomics.store(waiters, at + STATE, state);
  }

  stateOf(waiter: number): number {
    return this.memory.waiters[waiter * WAITER_WORDS + STATE];
  }

  /** What it waits for. */
  placeOf(waiter: number): number {
    return this.memory.waiters[waiter * WAITER_WORDS + PLACE];
  }

  setFree(waiter: number): void {
    Atomics.store(this.memory.waiters, waiter * WAITER_WORDS + STATE, FREE);
  }

  /**
   * Sends the last of the least important away, if it matters less than `rank`, and where asked, only if it is of this
   * thread. False when there is none.
   */
  displace(place: number, rank: number, isOfThisThread: boolean): boolean {
    const { lists } = this.memory;
    for (let least = RANKS - 1; least > rank; least--) {
      const last = lists[place * LIST_WORDS + least * 2 + 1];
      if (last === 0) continue;
      if (isOfThisThread && this.#rowOf(last - 1) !== this.#row) return false;
      this.leave(last - 1, DISPLACED);
      this.tell(last - 1);
      return true;
    }
    return false;
  }

  /** Lets in who waits, the most important first and of equals who came first, as far as the limit admits. */
  handOut(place: number): void {
    const { places, waiters } = this.memory;
    const at = place * PLACE_WORDS;
    while (places[at + WAITING] > 0 && places[at + HELD] < places[at + LIMIT]) {
      const waiter = this.#first(place);
      this.take(place, waiters[waiter * WAITER_WORDS + TICKET]);
      this.leave(waiter, GRANTED);
      this.tell(waiter);
    }
  }

  /** Tells the thread of one that waited that there is something to see. */
  tell(waiter: number): void {
    const { told } = this.memory;
    Atomics.or(told, waiter >>> 5, 1 << (waiter & 31));
    const row = this.#rowOf(waiter);
    if (row === this.#row) this.hasToldOwn = true;
    else this.wake(row);
  }

  /** Once until it has looked: to wake a thread costs as much as hundreds of places. */
  wake(row: number): void {
    const { wakes } = this.memory;
    if (Atomics.exchange(wakes, row, 1) === 0) Atomics.notify(wakes, row);
  }

  #rowOf(waiter: number): number {
    return Math.floor(waiter / this.memory.waitersPerRow);
  }

  #first(place: number): number {
    const { lists } = this.memory;
    let list = place * LIST_WORDS;
    while (lists[list] === 0) list += 2;
    return lists[list] - 1;
  }
}
