const EMPTY = Buffer.alloc(0);

/**
 * A body as it is gathered for a policy: one growing run of bytes, so that a body sent in tiny chunks costs no
 * object for each of them.
 */
export class BodyBuffer {
  #bytes: Buffer = EMPTY;
  #length = 0;

  /** Copies `bytes[from, to)`. */
  append(bytes: Buffer, from: number, to: number): void {
    const length = this.#length + to - from;
    if (length > this.#bytes.length) this.#grow(length);
    bytes.copy(this.#bytes, this.#length, from, to);
    this.#length = length;
  }

  /** What was gathered so far; nothing may be appended once it was asked for. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(length: number): void {
    // A body that came in one piece gets just its size, from Node's pool where it is small.
    const larger = Buffer.allocUnsafe(Math.max(length, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
