import { threadId } from 'node:worker_threads';
import {
  type Awaitable,
  PRIORITIES,
  type Slot,
  type SlotOutcome,
  type SlotRule,
  type Waiter,
} from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import type { CounterMemory } from '../counters/counter-memory.ts';
import { openSlots, SEED_HIGH, SEED_LOW, type SlotMemory } from './layout.ts';
import { Numbers } from './numbers.ts';
import { FREE, NONE, Places, WAITS } from './places.ts';
import { ScopedNames } from './scoped-names.ts';
import { assertSlotLimit, assertSlotRule } from './slot-rule.ts';
import { WakeCell } from './wake-cell.ts';

/** Runs once after `delayMs`; returns what cancels it. */
export type Schedule = (work: () => void, delayMs: number) => () => void;

/** What is open or under way on a node, whichever worker has it. */
export interface InFlight {
  /**
   * A place among at most `limit` under the key, or undefined when they are all held (or nothing more can be counted).
   * Throws InternalError for a limit that is no whole number from 1 to 2^30, and when the key stays locked.
   */
  take(scope: string, key: string, limit: number): Slot | undefined;
  /** How many are held under the key. */
  held(scope: string, key: string): number;
}

/** As locks and rows know a thread: ids start at 0, which is kept for "nobody". */
export const ownerOf = (thread: number): number => thread + 1;

/** Between two tries to get at a key that a thread left locked when it died, until the lock is freed. */
const RETRY_MS = 50;

/**
 * The places of a node as this thread takes them, in the memory that `createSlots` made. Throws InternalError for other
 * memory, and when more threads attach than it was made for.
 */
export function attachSlots(buffer: SharedArrayBuffer, schedule: Schedule = scheduleTimer): WorkerSlots {
  const owner = ownerOf(threadId);
  const row = claimRow(openSlots(buffer), owner);
  return new WorkerSlots(new Places(buffer, owner, row), row, schedule);
}

/** What is open on the node, in its own memory: nothing of it ever waits, or asks a store. Throws as `attachSlots` does. */
export const attachInFlight = (memory: CounterMemory): InFlight => attachSlots(memory.slots);

function claimRow({ owners }: SlotMemory, owner: number): number {
  for (let row = 0; row < owners.length; row++) {
    if (Atomics.compareExchange(owners, row, 0, owner) === 0) return row;
  }
  throw new InternalError('slots: more threads than there is memory for');
}

/** Keeps the thread's event loop going until it is due. */
export function scheduleTimer(work: () => void, delayMs: number): () => void {
  const timer = setTimeout(work, delayMs);
  return () => clearTimeout(timer);
}

/** One of this thread's that waits. */
interface Pending {
  /** Of the attachment it waits for. */
  readonly scope: string;
  readonly waiter: number;
  readonly ticket: number;
  readonly place: number;
  readonly asked: Waiter;
  readonly resolve: (outcome: SlotOutcome) => void;
  stop: () => void;
}

/** Exact across all attached threads: a key is changed under the lock of its bucket. */
export class WorkerSlots implements InFlight {
  readonly #places: Places;
  readonly #slotNames: ScopedNames;
  readonly #openNames: ScopedNames;
  readonly #schedule: Schedule;
  readonly #tickets: Numbers;
  readonly #waiters: Numbers;
  readonly #pending = new Map<number, Pending>();
  /** How many of them by scope. */
  readonly #waiting = new Map<string, number>();
  readonly #wakeCell: WakeCell;

  constructor(places: Places, row: number, schedule: Schedule) {
    const { header, ticketsPerRow, waitersPerRow } = places.memory;
    this.#places = places;
    this.#slotNames = new ScopedNames('slots', header[SEED_LOW], header[SEED_HIGH]);
    this.#openNames = new ScopedNames('in-flight', header[SEED_LOW], header[SEED_HIGH]);
    this.#schedule = schedule;
    this.#tickets = new Numbers(row * ticketsPerRow, ticketsPerRow);
    this.#waiters = new Numbers(row * waitersPerRow, waitersPerRow);
    this.#wakeCell = new WakeCell(places.memory, row, {
      isWanted: () => this.#pending.size > 0,
      onTold: (waiter) => this.#onTold(waiter),
    });
  }

  /** As CounterState says. A key keeps its count when its limit changes; the latest asked for holds. */
  acquire(scope: string, key: string, rule: SlotRule, asked: Waiter): Awaitable<SlotOutcome> {
    assertSlotRule(rule);
    const ticket = this.#tickets.take();
    if (ticket === NONE) return NO_ROOM;
    const places = this.#places;
    const { low, high } = this.#slotNames.identify(scope, key);
    const bucket = this.#lock(low, ticket);
    let answer: SlotOutcome | number;
    try {
      answer = this.#answer(places.claim(bucket, low, high), scope, ticket, rule);
    } finally {
      places.unlock(bucket);
    }
    this.#seeToOwn();
    if (typeof answer === 'number') return this.#wait(answer, scope, ticket, rule.waitMs, asked);
    if (!answer.granted) this.#tickets.putBack(ticket);
    return answer;
  }

  take(scope: string, key: string, limit: number): Slot | undefined {
    assertSlotLimit(limit);
    const ticket = this.#tickets.take();
    if (ticket === NONE) return undefined;
    const places = this.#places;
    const { low, high } = this.#openNames.identify(scope, key);
    const bucket = this.#lock(low, ticket);
    let slot: Slot | undefined;
    try {
      const place = places.claim(bucket, low, high);
      if (place !== NONE && places.held(place) < limit) {
        slot = new HeldSlot(this, place, ticket, places.take(place, ticket));
      }
    } finally {
      places.unlock(bucket);
    }
    if (slot === undefined) this.#tickets.putBack(ticket);
    return slot;
  }

  held(scope: string, key: string): number {
    const places = this.#places;
    const { low, high } = this.#openNames.identify(scope, key);
    const bucket = places.lock(low);
    const place = places.find(bucket, low, high);
    const held = place === NONE ? 0 : places.held(place);
    places.unlock(bucket);
    return held;
  }

  /** For a slot: once. Never fails: a key that a thread left locked when it died is tried again. */
  giveBack(place: number, ticket: number): void {
    const places = this.#places;
    let bucket: number;
    try {
      bucket = places.lockOf(place);
    } catch {
      return this.#later(() => this.giveBack(place, ticket));
    }
    places.giveBack(place, ticket);
    places.unlock(bucket);
    this.#tickets.putBack(ticket);
    this.#seeToOwn();
  }

  #lock(low: number, ticket: number): number {
    try {
      return this.#places.lock(low);
    } catch (cause) {
      this.#tickets.putBack(ticket);
      throw cause;
    }
  }

  /** The outcome, or who waits for one. */
  #answer(place: number, scope: string, ticket: number, rule: SlotRule): SlotOutcome | number {
    const places = this.#places;
    if (place === NONE) return NO_ROOM;
    places.setLimit(place, rule.limit);
    const held = places.held(place);
    if (held < rule.limit) return new HeldSlot(this, place, ticket, places.take(place, ticket));
    if (rule.queue === 0) return { granted: false, why: 'full', held };
    const waiter = this.#enqueue(place, scope, ticket, rule);
    return waiter === NONE ? { granted: false, why: 'queue-full', held } : waiter;
  }

  /**
   * NONE when the queue is full of what matters as much, or this thread has no room for more that wait. One attachment
   * may have as many as it leaves free, so that each of the others finds some: the dynamic threshold of Choudhury and
   * Hahne ("Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998).
   */
  #enqueue(place: number, scope: string, ticket: number, { queue, priority }: SlotRule): number {
    const places = this.#places;
    const rank = PRIORITIES.indexOf(priority);
    const isRoom = (this.#waiting.get(scope) ?? 0) < this.#waiters.left;
    const waiter = this.#waiters.take();
    if (waiter === NONE) return NONE;
    if ((isRoom && places.waiting(place) < queue) || places.displace(place, rank, !isRoom)) {
      places.enqueue(place, waiter, ticket, rank);
      return waiter;
    }
    this.#waiters.putBack(waiter);
    return NONE;
  }

  #wait(waiter: number, scope: string, ticket: number, waitMs: number, asked: Waiter): Promise<SlotOutcome> {
    const place = this.#places.placeOf(waiter);
    return new Promise((resolve) => {
      const pending: Pending = { scope, waiter, ticket, place, asked, resolve, stop: () => {} };
      pending.stop = this.#schedule(() => this.#settle(pending, 'timeout'), waitMs);
      asked.cancel = () => this.#settle(pending, 'cancelled');
      this.#pending.set(waiter, pending);
      this.#waiting.set(scope, (this.#waiting.get(scope) ?? 0) + 1);
      this.#wakeCell.listen();
    });
  }

  #onTold(waiter: number): void {
    const pending = this.#pending.get(waiter);
    if (pending !== undefined) this.#settle(pending, 'told');
  }

  /** Ends a wait, if there is something to end it. What came in time counts, though its time may be over since. */
  #settle(pending: Pending, why: 'told' | 'timeout' | 'cancelled'): void {
    const { waiter, place, ticket, asked } = pending;
    // Another may have its number by now.
    if (this.#pending.get(waiter) !== pending) return;
    const places = this.#places;
    let bucket: number;
    try {
      bucket = places.lockOf(place);
    } catch {
      return this.#later(() => this.#settle(pending, why));
    }
    const isWaiting = places.stateOf(waiter) === WAITS;
    if (isWaiting && why === 'told') return places.unlock(bucket);
    const outcome = this.#leave(pending, why, isWaiting);
    places.setFree(waiter);
    places.unlock(bucket);
    this.#pending.delete(waiter);
    this.#noLongerWaits(pending.scope);
    this.#waiters.putBack(waiter);
    if (!outcome.granted) this.#tickets.putBack(ticket);
    pending.stop();
    asked.cancel = undefined;
    pending.resolve(outcome);
    this.#seeToOwn();
  }

  #noLongerWaits(scope: string): void {
    const left = (this.#waiting.get(scope) ?? 1) - 1;
    if (left === 0) this.#waiting.delete(scope);
    else this.#waiting.set(scope, left);
  }

  #leave({ waiter, place, ticket }: Pending, why: string, isWaiting: boolean): SlotOutcome {
    const places = this.#places;
    const held = places.held(place);
    const isGranted = places.memory.tickets[ticket] !== 0;
    if (isGranted && why !== 'cancelled') return new HeldSlot(this, place, ticket, held);
    if (isGranted) places.giveBack(place, ticket);
    else if (isWaiting) places.leave(waiter, FREE);
    if (why === 'cancelled') return { granted: false, why, held };
    return { granted: false, why: isWaiting ? 'timeout' : 'queue-full', held };
  }

  #later(work: () => void): void {
    this.#schedule(work, RETRY_MS);
  }

  /** Those of this thread that were told something by this thread need no waking. */
  #seeToOwn(): void {
    if (!this.#places.hasToldOwn) return;
    this.#places.hasToldOwn = false;
    this.#wakeCell.look();
  }
}

/** Outcome and slot in one: it is made for every request. A copy of it has the slot as well. */
class HeldSlot implements Slot {
  readonly granted: true = true;
  readonly held: number;
  readonly slot: Slot = this;
  readonly #slots: WorkerSlots;
  readonly #place: number;
  #ticket: number;

  constructor(slots: WorkerSlots, place: number, ticket: number, held: number) {
    this.#slots = slots;
    this.#place = place;
    this.#ticket = ticket;
    this.held = held;
  }

  release(): void {
    const ticket = this.#ticket;
    if (ticket === NONE) return;
    this.#ticket = NONE;
    this.#slots.giveBack(this.#place, ticket);
  }
}

const NO_ROOM: SlotOutcome = Object.freeze({ granted: false, why: 'no-room', held: 0 });
