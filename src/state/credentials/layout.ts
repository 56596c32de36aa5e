/**
 * Where things lie in the memory that holds live consumers and their credentials. One thread writes, all others read
 * without a lock.
 *
 * - `entries`: 16 words each, one cache line: a consumer or a credential. An entry's version is odd while it is
 *   written; who reads takes the version before and after, and reads again when it moved.
 * - `index`: a hash table of entry numbers. It grows (and is swept of what was removed) by being built anew in other
 *   words and then named the current one in a single store, so that a reader is never in its builder's way. An index
 *   of n places (a power of two) has two regions to alternate between, at 2n and 3n: no size lies over another.
 * - `texts`: names and groups, and what claims are verified with. A text is never changed, only let go; who reads one
 *   knows by its entry's version whether it was still that entry's.
 *
 * All words are read and written by `Atomics` once more than one thread can reach them: only these are ordered on
 * every processor. The buffers grow and never move, and pages that were never written cost no memory.
 */

/** Goes to every worker, as it is. */
export interface CredentialBuffers {
  readonly index: SharedArrayBuffer;
  readonly entries: SharedArrayBuffer;
  readonly texts: SharedArrayBuffer;
}

/** Words of the header, which lies before the smallest index. */
export const MAGIC = 0;
/** Which region is the current index: a count of rebuilds, a bit for the region, five for the size. */
export const GENERATION = 1;
/** Entries in use: where there are none, nothing is looked up. */
export const USED = 2;

export const MAGIC_VALUE = 0x53_50_4c_31;

export const MIN_INDEX_BITS = 6;
export const MAX_INDEX_BITS = 25;

/** A place of the index: 0 was never used since the rebuild; else the entry's number and one, under 8 bits of its hash. */
export const EMPTY = 0;
/** Was used: a search goes on behind it. */
export const REMOVED = 0x01_00_00_00;
export const NUMBER_MASK = 0xff_ff_ff;
/** So that an index of the largest size is half full at most. */
export const MAX_ENTRIES = 2 ** (MAX_INDEX_BITS - 1) - 2;

export const ENTRY_WORDS = 16;
/** Words of an entry. */
export const VERSION = 0;
export const KIND = 1;
/** Eight words: SHA-256 of what it is looked up by. */
export const KEY = 2;
/** Of a credential: the entry of its consumer. Of a consumer: how many credentials it has. Free: the next free one. */
export const CONSUMER = 10;
export const ID = 11;
/** Seconds since the epoch, unsigned; 0 for none. */
export const EXPIRES = 13;
export const NOT_BEFORE = 14;
/** Where its text lies, in units of 16 bytes and one more; 0 for none. */
export const TEXT = 15;

export const KEY_WORDS = 8;

/** Low byte of KIND: what the entry is. Above it, flags of consumers. */
export const KIND_MASK = 0xff;
export const FREE_KIND = 0;
export const CONSUMER_KIND = 5;
export const DISABLED = 0x100;
/** The consumer is one of the document: it is here only for its credentials to have one. */
export const OF_DOCUMENT = 0x200;

/** A text begins with a word that holds its length in bytes. */
export const TEXT_UNIT_WORDS = 4;
export const MAX_TEXT_BYTES = 16_380;

const MIB = 2 ** 20;

/** How far the buffers may grow. Only addresses are taken for that, no memory. */
const MAX_BYTES: Readonly<Record<keyof CredentialBuffers, number>> = {
  index: 4 * 2 ** MAX_INDEX_BITS * 4,
  entries: 1024 * MIB,
  texts: 2048 * MIB,
};

/** Empty, with addresses to grow; fewer of them where the system grants no more. */
export function allocateBuffers(): CredentialBuffers {
  const buffers = {
    index: growable(4 * 2 ** MIN_INDEX_BITS * 4, MAX_BYTES.index),
    entries: growable(4096, MAX_BYTES.entries),
    texts: growable(4096, MAX_BYTES.texts),
  };
  const header = new Int32Array(buffers.index);
  header[GENERATION] = MIN_INDEX_BITS;
  header[MAGIC] = MAGIC_VALUE;
  return buffers;
}

function growable(byteLength: number, maxByteLength: number): SharedArrayBuffer {
  for (let max = maxByteLength; ; max /= 2) {
    try {
      return new SharedArrayBuffer(byteLength, { maxByteLength: max });
    } catch (error) {
      if (!(error instanceof RangeError) || max <= MIB) throw error;
    }
  }
}

/**
 * All words there are at this moment. Of a fixed length: an array that follows its buffer's growth is twenty times
 * slower to read (measured: 17 ns against 1 ns a word).
 */
export const wordsOf = (buffer: SharedArrayBuffer): Int32Array =>
  new Int32Array(buffer, 0, buffer.byteLength >>> 2);

export const sizeOf = (generation: number): number => 1 << (generation & 31);
export const baseOf = (generation: number): number => (2 + ((generation >>> 5) & 1)) * sizeOf(generation);

/** The generation after one, with an index of `bits`; of the same size, it lies in the other region. */
export function nextGeneration(generation: number, bits: number): number {
  const region = bits === (generation & 31) ? ((generation >>> 5) & 1) ^ 1 : 0;
  return (((generation >>> 6) + 1) << 6) | (region << 5) | bits;
}
