import { InternalError } from '../errors.ts';
import { CELLS_PER_KEY } from './cells.ts';

/** Keys that share a lock and compete for the same places. Full buckets are rare until half the table is live. */
export const WAYS = 16;

/** Words of the header. */
const MAGIC = 0;
const BUCKETS = 1;
export const SEED_LOW = 2;
export const SEED_HIGH = 3;
export const REFUSED_FOR_SPACE = 4;
const HEADER_WORDS = 16;

const MAGIC_VALUE = 0x53_50_43_31;

/** Views on the one buffer: header, a lock per bucket, two hash words per place, the cells of every place. */
export interface SharedTable {
  readonly header: Int32Array;
  readonly locks: Int32Array;
  readonly hashes: Int32Array;
  readonly cells: Float64Array;
  /** Number of buckets less one; their number is a power of two. */
  readonly mask: number;
}

/** A zeroed table for at least `maxKeys` keys. The pages cost memory only once keys touch them. */
export function allocateTable(maxKeys: number): SharedArrayBuffer {
  if (!(Number.isSafeInteger(maxKeys) && maxKeys >= 1 && maxKeys <= 2 ** 26)) {
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
  const places = buckets * WAYS;
  return {
    header,
    locks: new Int32Array(buffer, HEADER_WORDS * 4, buckets),
    hashes: new Int32Array(buffer, hashesOffset(buckets), places * 2),
    cells: new Float64Array(buffer, cellsOffset(buckets), places * CELLS_PER_KEY),
    mask: buckets - 1,
  };
}

/** Offsets are kept on cache lines. */
const hashesOffset = (buckets: number): number => HEADER_WORDS * 4 + Math.ceil((buckets * 4) / 64) * 64;
const cellsOffset = (buckets: number): number => hashesOffset(buckets) + buckets * WAYS * 8;
const tableBytes = (buckets: number): number => cellsOffset(buckets) + buckets * WAYS * CELLS_PER_KEY * 8;
