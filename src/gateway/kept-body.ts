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

  /** What has passed by; undefined where it was too long. */
  get bytes(): Buffer | undefined {
    if (this.#length > this.#limit) return undefined;
    return this.#buffer?.bytes ?? Buffer.alloc(0);
  }
}
