/**
 * How long a client may still be waited for while its body comes. Silence uses the time up; each byte gives back what it
 * may take at the least rate, but never more than there was at first. So a body that stops is given up after
 * `timeoutMs`, and one that drips a little later than that. Time in which nobody reads it does not count.
 */
export class BodyPace {
  readonly #timeoutMs: number;
  readonly #msPerByte: number;
  #leftMs: number;
  /** Since when the client is waited for; undefined while it is not. */
  #sinceMs: number | undefined = undefined;
  #bytes = 0;

  /** `bytesPerSecond` 0: any rate will do, as long as something comes within `timeoutMs`. */
  constructor(timeoutMs: number, bytesPerSecond: number) {
    this.#timeoutMs = timeoutMs;
    this.#msPerByte = bytesPerSecond === 0 ? Number.POSITIVE_INFINITY : 1000 / bytesPerSecond;
    this.#leftMs = timeoutMs;
  }

  /** The client is waited for from now on; `bytes` came so far. Says for how long at most. */
  await(nowMs: number, bytes: number): number {
    this.pause(nowMs);
    const come = bytes - this.#bytes;
    this.#bytes = bytes;
    if (come > 0) this.#leftMs = Math.min(this.#timeoutMs, this.#leftMs + come * this.#msPerByte);
    this.#sinceMs = nowMs;
    return Math.max(0, this.#leftMs);
  }

  /** Nobody reads. */
  pause(nowMs: number): void {
    if (this.#sinceMs !== undefined) this.#leftMs -= nowMs - this.#sinceMs;
    this.#sinceMs = undefined;
  }
}
