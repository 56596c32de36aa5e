import { InternalError } from '../../errors.ts';
import { MAX_TEXT_BYTES, TEXT_UNIT_WORDS, wordsOf } from './layout.ts';

/** Units of the smallest block; each class is twice the one before. */
const SMALLEST = 2;

/**
 * Where texts lie. Only the thread that owns the table has one. A block that was let go is used again for a text of
 * its class: who still reads it notices by the version of the entry that named it.
 */
export class TextHeap {
  readonly #buffer: SharedArrayBuffer;
  /** Per class, the first free block in units and one more, 0 for none; in each free block, the next. */
  readonly #free: number[] = [];
  readonly #bytes = Buffer.alloc(MAX_TEXT_BYTES + 4);
  readonly #copy = new Int32Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length >>> 2);
  #words: Int32Array;
  #end = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#buffer = buffer;
    this.#words = wordsOf(buffer);
  }

  /** Writes a text and gives its reference, which is never 0. Throws InternalError for one that is too long. */
  put(text: string): number {
    const length = Buffer.byteLength(text);
    if (length > MAX_TEXT_BYTES) throw new InternalError('a text of live credentials is too long');
    this.#bytes.write(text);
    const reference = this.#take(classOf(length));
    const at = (reference - 1) * TEXT_UNIT_WORDS;
    Atomics.store(this.#words, at, length);
    const words = (length + 3) >>> 2;
    for (let i = 0; i < words; i++) Atomics.store(this.#words, at + 1 + i, this.#copy[i]);
    return reference;
  }

  /** Lets a text go that no entry names any more. 0 is no text. */
  drop(reference: number): void {
    if (reference === 0) return;
    const at = (reference - 1) * TEXT_UNIT_WORDS;
    const size = classOf(this.#words[at]);
    Atomics.store(this.#words, at, this.#free[size] ?? 0);
    this.#free[size] = reference;
  }

  #take(size: number): number {
    const free = this.#free[size] ?? 0;
    if (free !== 0) {
      this.#free[size] = this.#words[(free - 1) * TEXT_UNIT_WORDS];
      return free;
    }
    const reference = this.#end + 1;
    this.#end += SMALLEST << size;
    this.#reach(this.#end * TEXT_UNIT_WORDS);
    return reference;
  }

  #reach(words: number): void {
    if (words <= this.#words.length) return;
    this.#buffer.grow(Math.min(Math.max(words * 4, this.#buffer.byteLength * 2), this.#buffer.maxByteLength));
    this.#words = wordsOf(this.#buffer);
  }
}

/** The class of a block that holds so many bytes and their length. */
function classOf(bytes: number): number {
  const units = Math.ceil((bytes + 4) / (TEXT_UNIT_WORDS * 4));
  return Math.max(0, Math.ceil(Math.log2(units / SMALLEST)));
}
