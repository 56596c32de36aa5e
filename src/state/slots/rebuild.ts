import {
  ARRIVAL,
  HELD,
  LIST_WORDS,
  PLACE,
  PLACE_WORDS,
  RANK,
  STATE,
  TICKET,
  WAITER_WORDS,
  WAITING,
  WAYS,
} from './layout.ts';
import { FREE, GRANTED, type Places, WAITS } from './places.ts';

/**
 * Makes the sums and lists of a bucket anew, from what each row says of itself: the thread that had it locked may have
 * died between any two words. For who holds the lock. Reads all that all rows hold, once in the life of few nodes.
 */
export function rebuild(places: Places, bucket: number): void {
  const { memory } = places;
  const first = bucket * WAYS;
  const isHere = (place: number): boolean => place >= first && place < first + WAYS;
  for (let place = first; place < first + WAYS; place++) {
    memory.places[place * PLACE_WORDS + HELD] = 0;
    memory.places[place * PLACE_WORDS + WAITING] = 0;
  }
  memory.lists.fill(0, first * LIST_WORDS, (first + WAYS) * LIST_WORDS);
  const waiting: number[] = [];
  for (let row = 0; row < memory.owners.length; row++) {
    if (Atomics.load(memory.owners, row) === 0) continue;
    countTickets(places, row, isHere);
    waiting.push(...stillWaiting(places, row, isHere));
  }
  const { waiters } = memory;
  const arrival = (waiter: number): number => waiters[waiter * WAITER_WORDS + ARRIVAL];
  // The number of arrivals goes round: those that wait at one time are near each other.
  waiting.sort((one, other) => (arrival(one) - arrival(other)) | 0);
  for (const waiter of waiting) {
    const at = waiter * WAITER_WORDS;
    places.link(waiters[at + PLACE], waiter, waiters[at + RANK]);
  }
  for (let place = first; place < first + WAYS; place++) places.handOut(place);
}

function countTickets({ memory }: Places, row: number, isHere: (place: number) => boolean): void {
  const { tickets, ticketsPerRow, places } = memory;
  const end = (row + 1) * ticketsPerRow;
  for (let ticket = row * ticketsPerRow; ticket < end; ticket++) {
    const place = tickets[ticket] - 1;
    if (isHere(place)) places[place * PLACE_WORDS + HELD]++;
  }
}

/** Who was told, or was about to be, is told again: twice is as good as once. */
function stillWaiting(places: Places, row: number, isHere: (place: number) => boolean): number[] {
  const { waiters, waitersPerRow, tickets } = places.memory;
  const waiting: number[] = [];
  const end = (row + 1) * waitersPerRow;
  for (let waiter = row * waitersPerRow; waiter < end; waiter++) {
    const at = waiter * WAITER_WORDS;
    const state = Atomics.load(waiters, at + STATE);
    if (state === FREE || !isHere(waiters[at + PLACE])) continue;
    const isGranted = tickets[waiters[at + TICKET]] !== 0;
    if (state === WAITS && !isGranted) waiting.push(waiter);
    else {
      if (isGranted) Atomics.store(waiters, at + STATE, GRANTED);
      places.tell(waiter);
    }
  }
  return waiting;
}
