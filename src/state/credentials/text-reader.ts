import { MAX_TEXT_BYTES, wordsOf } from './layout.ts';

/** Reads texts out of the memory they lie in, which may be written meanwhile: what was read is to be verified. */
export class TextReader {
  readonly #buffer: SharedArrayBuffer;
  readonly #bytes = Buffer.alloc(MAX_TEXT_BYTES + 4);
  readonly #copy = new Int32Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length >>> 2);
  #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#buffer = buffer;
    this.#words = wordsOf(buffer);
  }

  /** The text at a word; undefined where none can lie. */
  read(at: number): string | undefined {
    if (at < 0 || !this.#reaches(at)) return undefined;
    const length = Atomics.load(this.#words, at);
    const count = (length + 3) >>> 2;
    if (length < 0 || length > MAX_TEXT_BYTES || !this.#reaches(at + count)) return undefined;
    for (let i = 0; i < count; i++) this.#copy[i] = Atomics.load(this.#words, at + 1 + i);
    return this.#bytes.toString('utf8', 0, length);
  }

  #reaches(word: number): boolean {
    if (word >= this.#words.length) this.#words = wordsOf(this.#buffer);
    return word < this.#words.length;
  }
}
