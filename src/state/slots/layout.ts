import { PRIORITIES } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';

/** Keys that share a lock and compete for the same places. */
export const WAYS = 16;

/** Words of the header. */
const MAGIC = 0;
const BUCKETS = 1;
const ROWS = 2;
const TICKETS = 3;
const WAITERS = 4;
export const SEED_LOW = 5;
export const SEED_HIGH = 6;
export const REFUSED_FOR_SPACE = 7;
/** How many ever waited: tells who came first, modulo 2^32. */
export const ARRIVALS = 8;
const HEADER_WORDS = 16;

const MAGIC_VALUE = 0x53_50_53_31;

/** Words of a key's place. */
export const PLACE_WORDS = 4;
export const HELD = 0;
export const WAITING = 1;
/** As the latest that asked was told by its rule. */
export const LIMIT = 2;

/** Words of a key's lists, one list for each priority: the first and the last of those that wait. */
export const LIST_WORDS = 2 * PRIORITIES.length;

/** Words of one that waits. */
export const WAITER_WORDS = 8;
export const STATE = 0;
export const TICKET = 1;
export const PLACE = 2;
export const RANK = 3;
export const ARRIVAL = 4;
export const NEXT = 5;
export const PREVIOUS = 6;

/**
 * Views on the one buffer. What is true stands in words of their own owner: a ticket holds the place it is for (plus
 * one), a waiter says that it waits. What is summed up of them by key (how many, in which order) is only for speed, and
 * can be made anew from the rest when a thread dies while it changes it.
 */
export interface SlotMemory {
  readonly header: Int32Array;
  /** Of each row: the thread that has it, plus one; 0 for nobody. */
  readonly owners: Int32Array;
  /** Of each row: 1 when there is something to see for those of its that wait. */
  readonly wakes: Int32Array;
  readonly locks: Int32Array;
  /** Two words a place. */
  readonly hashes: Int32Array;
  readonly places: Int32Array;
  readonly lists: Int32Array;
  /** Each row's, one after the other. */
  readonly tickets: Int32Array;
  readonly waiters: Int32Array;
  /** A bit for each waiter: whether it was told something. */
  readonly told: Int32Array;
  readonly ticketsPerRow: number;
  readonly waitersPerRow: number;
  /** Number of buckets less one; their number is a power of two. */
  readonly mask: number;
}

export interface SlotSizes {
  /** Keys with something held at one time. */
  readonly maxKeys: number;
  /** Attachments at one time. */
  readonly rows: number;
  /** Places that one attachment may hold. */
  readonly ticketsPerRow: number;
  /** Of its that may wait; a multiple of 32. */
  readonly waitersPerRow: number;
}

/** Zeroed memory. Its pages cost memory only once keys touch them. */
export function allocateSlots(sizes: SlotSizes): SharedArrayBuffer {
  const { maxKeys, rows, ticketsPerRow, waitersPerRow } = sizes;
  if (!(Number.isSafeInteger(maxKeys) && maxKeys >= 1 && maxKeys <= 2 ** 24)) {
    throw new InternalError('a table of slots holds between 1 and 2^24 keys');
  }
  const buckets = 2 ** Math.ceil(Math.log2(Math.max(1, maxKeys / WAYS)));
  const { length } = partsOf(buckets, rows, ticketsPerRow, waitersPerRow);
  const buffer = new SharedArrayBuffer(length * 4);
  const header = new Int32Array(buffer, 0, HEADER_WORDS);
  header[BUCKETS] = buckets;
  header[ROWS] = rows;
  header[TICKETS] = ticketsPerRow;
  header[WAITERS] = waitersPerRow;
  header[MAGIC] = MAGIC_VALUE;
  return buffer;
}

/** Throws InternalError for a buffer that `allocateSlots` did not make. */
export function openSlots(buffer: SharedArrayBuffer): SlotMemory {
  const header = new Int32Array(buffer, 0, HEADER_WORDS);
  const ticketsPerRow = header[TICKETS];
  const waitersPerRow = header[WAITERS];
  const { parts, length } = partsOf(header[BUCKETS], header[ROWS], ticketsPerRow, waitersPerRow);
  if (header[MAGIC] !== MAGIC_VALUE || buffer.byteLength !== length * 4) {
    throw new InternalError('not a buffer of slots');
  }
  const view = (name: keyof typeof parts): Int32Array =>
    new Int32Array(buffer, parts[name].from * 4, parts[name].words);
  return {
    header,
    owners: view('owners'),
    wakes: view('wakes'),
    locks: view('locks'),
    hashes: view('hashes'),
    places: view('places'),
    lists: view('lists'),
    tickets: view('tickets'),
    waiters: view('waiters'),
    told: view('told'),
    ticketsPerRow,
    waitersPerRow,
    mask: header[BUCKETS] - 1,
  };
}

/** Where each part begins, in words, on a cache line of its own. */
function partsOf(buckets: number, rows: number, ticketsPerRow: number, waitersPerRow: number) {
  let length = HEADER_WORDS;
  const part = (words: number) => {
    const from = length;
    length += Math.ceil(words / 16) * 16;
    return { from, words };
  };
  const places = buckets * WAYS;
  const parts = {
    owners: part(rows),
    wakes: part(rows),
    locks: part(buckets),
    hashes: part(places * 2),
    places: part(places * PLACE_WORDS),
    lists: part(places * LIST_WORDS),
    tickets: part(rows * ticketsPerRow),
    waiters: part(rows * waitersPerRow * WAITER_WORDS),
    told: part((rows * waitersPerRow) / 32),
  };
  return { parts, length };
}
