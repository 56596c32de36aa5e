import { InternalError } from '../../errors.ts';
import {
  baseOf,
  type CredentialBuffers,
  EMPTY,
  ENTRY_WORDS,
  GENERATION,
  KEY,
  KEY_WORDS,
  KIND,
  KIND_MASK,
  MAGIC,
  MAGIC_VALUE,
  NUMBER_MASK,
  sizeOf,
  TEXT_UNIT_WORDS,
  USED,
  VERSION,
  wordsOf,
} from './layout.ts';
import { homeOf, readDigest, tagOf } from './lookup-key.ts';
import { TextReader } from './text-reader.ts';

export const NONE = -1;

/** A writer on another core is done within this many looks. */
const SPINS = 200;
/** A writer that lost its core: sleep between looks, so that it can have this one. */
const SLEEP_MS = 0.1;
/** Together about a second; the writer needs well under a microsecond of its own time for an entry. */
const SLEEPS = 8000;

/**
 * The table as one thread reads it. Correct while another thread writes: an entry is believed only when its version
 * was the same, and even, before and after it was read, and that nothing was found only when the index is still the
 * current one.
 */
export class TableView {
  readonly #buffers: CredentialBuffers;
  readonly #texts: TextReader;
  readonly #key = new Int32Array(KEY_WORDS);
  /** Of the entry that the last `find` found: it had the key at that version. */
  foundVersion = 0;
  #index: Int32Array;
  #entries: Int32Array;

  /** Throws InternalError for buffers that are not those of a credential table. */
  constructor(buffers: CredentialBuffers) {
    this.#buffers = buffers;
    this.#index = wordsOf(buffers.index);
    this.#entries = wordsOf(buffers.entries);
    this.#texts = new TextReader(buffers.texts);
    if (this.#index[MAGIC] !== MAGIC_VALUE) throw new InternalError('not the buffers of a credential table');
  }

  get isEmpty(): boolean {
    return Atomics.load(this.#index, USED) === 0;
  }

  /** The entry of a kind that lies under a digest, or NONE. */
  find(code: number, digest: string): number {
    for (;;) {
      const generation = Atomics.load(this.#index, GENERATION);
      const found = this.#search(generation, code, digest);
      // An index that was replaced meanwhile may be under construction again: what is missing there may exist.
      if (found !== NONE || Atomics.load(this.#index, GENERATION) === generation) return found;
    }
  }

  #search(generation: number, code: number, digest: string): number {
    const size = sizeOf(generation);
    const base = baseOf(generation);
    if (base + size > this.#index.length) this.#index = wordsOf(this.#buffers.index);
    const index = this.#index;
    const tag = tagOf(digest);
    const mask = size - 1;
    let isDecoded = false;
    for (let at = homeOf(digest) & mask; ; at = (at + 1) & mask) {
      const place = Atomics.load(index, base + at);
      if (place === EMPTY) return NONE;
      const number = (place & NUMBER_MASK) - 1;
      if (number === NONE || (place & ~NUMBER_MASK) !== tag) continue;
      if (!isDecoded && !readDigest(digest, this.#key)) return NONE;
      isDecoded = true;
      if (this.#holds(number, code)) return number;
    }
  }

  /** Whether an entry is of that kind and has the key at hand. */
  #holds(number: number, code: number): boolean {
    for (;;) {
      const version = this.version(number);
      const isSame = this.#isSame(number, code);
      if (!this.isAt(number, version)) continue;
      this.foundVersion = version;
      return isSame;
    }
  }

  #isSame(number: number, code: number): boolean {
    const [entries, at] = [this.#entries, number * ENTRY_WORDS];
    if ((Atomics.load(entries, at + KIND) & KIND_MASK) !== code) return false;
    for (let i = 0; i < KEY_WORDS; i++) {
      if (Atomics.load(entries, at + KEY + i) !== this.#key[i]) return false;
    }
    return true;
  }

  /**
   * The version of an entry at a moment when nobody writes it. Throws InternalError when its writer does not come to
   * an end: undecidable.
   */
  version(number: number): number {
    const at = number * ENTRY_WORDS + VERSION;
    if (at >= this.#entries.length) this.#entries = wordsOf(this.#buffers.entries);
    for (let spin = 0; spin < SPINS; spin++) {
      const version = Atomics.load(this.#entries, at);
      if ((version & 1) === 0) return version;
    }
    for (let sleep = 0; sleep < SLEEPS; sleep++) {
      const version = Atomics.load(this.#entries, at);
      if ((version & 1) === 0) return version;
      Atomics.wait(this.#entries, at, version, SLEEP_MS);
    }
    throw new InternalError('an entry of live credentials stayed half written');
  }

  /** Whether there is such an entry: a number that was read while its writer changed it may be any. */
  has(number: number): boolean {
    const end = (number + 1) * ENTRY_WORDS;
    if (end > this.#entries.length) this.#entries = wordsOf(this.#buffers.entries);
    return number >= 0 && end <= this.#entries.length;
  }

  /** Whether an entry still has the version that was read. Only an entry whose version was read before is asked for. */
  isAt(number: number, version: number): boolean {
    return Atomics.load(this.#entries, number * ENTRY_WORDS + VERSION) === version;
  }

  /** One word of an entry whose version was read before; believe it only when that is unchanged afterwards. */
  word(number: number, word: number): number {
    return Atomics.load(this.#entries, number * ENTRY_WORDS + word);
  }

  /** As `word`; undefined where there can be no such text, since the entry changed. */
  text(reference: number): string | undefined {
    return this.#texts.read((reference - 1) * TEXT_UNIT_WORDS);
  }
}
