import { InternalError } from '../../errors.ts';
import { CELLS_PER_KEY } from './cells.ts';

/** Keys that share a lock and compete for the same places. Full buckets are rare until half the table is live. */
export const WAYS = 16;

/** Of those, the first are not for keys that anybody may be: of callers' counters, and of their quotas. */
export const SPARED_WAYS = Object.freeze({ counters: 4, quotas: 8 });

/** Words of the header. */
const MAGIC = 0;
const BUCKETS = 1;
export const SEED_LOW = 2;
export const SEED_HIGH = 3;
export const REFUSED_FOR_SPACE = 4;
const HEADER_WORDS = 16;

const MAGIC_VALUE = 0x53_50_43_32;

/**
 * A bucket lies in one piece, so that a key costs one page of memory to find and not three: its lock on a cache line of
 * its own, two hash words for each place, the cells of each place.
 */
const LOCK_WORDS = 16;
const HASH_WORDS = WAYS * 2;
const CELL_WORDS = CELLS_PER_KEY * 2;
export const BUCKET_WORDS = LOCK_WORDS + HASH_WORDS + WAYS * CELL_WORDS;

/** 704 bytes for 16 keys. */
export const BYTES_PER_KEY = (BUCKET_WORDS * 4) / WAYS;

/** Views on the one buffer: the header, and what lies after it as words and as doubles. */
export interface SharedTable {
  readonly header: Int32Array;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  /** Number of buckets less one; their number is a power of two. */
  readonly mask: number;
}

/** Of a bucket, in words. */
export const lockOf = (bucket: number): number => bucket * BUCKET_WORDS;
/** Of a bucket's first place, in words; the next place's are two on. */
export const hashesOf = (bucket: number): number => bucket * BUCKET_WORDS + LOCK_WORDS;
/** Of a bucket's first place, in doubles; the next place's are `CELLS_PER_KEY` on. */
export const cellsOf = (bucket: number): number => (bucket * BUCKET_WORDS + LOCK_WORDS + HASH_WORDS) / 2;

/** Up to here a table may grow: 2.95 GB. */
export const MAX_KEYS = 2 ** 26;

/** A zeroed table for at least `maxKeys` keys. The pages cost memory only once keys touch them. */
export function allocateTable(maxKeys: number): SharedArrayBuffer {
  if (!(Number.isSafeInteger(maxKeys) && maxKeys >= 1 && maxKeys <= MAX_KEYS)) {
    throw new InternalError('a counter table holds between 1 and 2^26 keys');
  }
  const buckets = 2 ** Math.ceil(Math.log2(Math.max(1, maxKeys / WAYS)));
  const buffer = new SharedArrayBuffer(tableBytes(buckets));
  const header = new Int32Array(buffer, 0, HEADER_WORDS);
  header[BUCKETS] = buckets;
  header[MAGIC] = MAGIC_VALUE;
  return buffer;
}

/** Throws InternalError for a buffer that `allocateTable` did not make. */
export function openTable(buffer: SharedArrayBuffer): SharedTable {
  const header = new Int32Array(buffer, 0, HEADER_WORDS);
  const buckets = header[BUCKETS];
  if (header[MAGIC] !== MAGIC_VALUE || buffer.byteLength !== tableBytes(buckets)) {
    throw new InternalError('not a buffer of shared counters');
  }
  return {
    header,
    words: new Int32Array(buffer, HEADER_WORDS * 4),
    doubles: new Float64Array(buffer, HEADER_WORDS * 4),
    mask: buckets - 1,
  };
}

const tableBytes = (buckets: number): number => (HEADER_WORDS + buckets * BUCKET_WORDS) * 4;
