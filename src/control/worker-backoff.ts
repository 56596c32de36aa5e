/** A thread that lasted this long was well: its end starts a new count. */
const WELL_AFTER_MS = 30_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
/** Deaths in a row that are answered at once: most are single events, and capacity must be back. */
const AT_ONCE = 2;

/** How long to wait before the next thread of a slot is started. */
export class RestartBackoff {
  #deaths = 0;

  /** Milliseconds to wait after a thread that lived `livedMs` has died. */
  delayAfter(livedMs: number): number {
    this.#deaths = livedMs >= WELL_AFTER_MS ? 1 : this.#deaths + 1;
    if (this.#deaths <= AT_ONCE) return 0;
    return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#deaths - AT_ONCE - 1));
  }
}
