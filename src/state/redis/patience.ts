/** How long one request may wait for the store in all: every question of it takes from the same time. */
export class Patience {
  #leftMs: number;
  /** Questions under way; while there are several, time passes once. */
  #questions = 0;
  #sinceMs = 0;

  constructor(ms: number) {
    this.#leftMs = ms;
  }

  left(nowMs: number): number {
    return this.#questions === 0 ? this.#leftMs : this.#leftMs - (nowMs - this.#sinceMs);
  }

  /** A question is asked. */
  begin(nowMs: number): void {
    if (this.#questions++ === 0) this.#sinceMs = nowMs;
  }

  /** It was answered, or is waited for no longer. */
  end(nowMs: number): void {
    if (--this.#questions === 0) this.#leftMs -= nowMs - this.#sinceMs;
  }
}
