import { BodyBuffer } from './body-buffer.ts';

/** The start of a body as it passes by, for those who look at it later. One that is longer than asked for is not kept. */
export class KeptBody {
  readonly #limit: number;
  #buffer: BodyBuffer | undefined = undefined;
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  append(bytes: Buffer, from: number, to: number): void {
    this.#length += to - from;
    if (this.#length > this.#limit) {
      this.#buffer = undefined;
      return;
    }
    this.#buffer ??= new BodyBuffer();
    this.#buffer.append(bytes, from, to);
  }

  /** All of a body of so many bytes; undefined where it was too long, or not all of it has passed by. */
  whole(size: number): Buffer | undefined {
    if (this.#length > this.#limit || this.#length !== size) return undefined;
    return this.#buffer?.bytes ?? Buffer.alloc(0);
  }
}
