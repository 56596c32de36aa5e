/** So many requests in a tenth of a second are a crowd: it is not fewer that make a loop late. */
export const CROWD = 10;
const WINDOW_MS = 100;
/** Of so many measurements it is remembered. */
const MEASUREMENTS = 8;
/** Rates are of about so long. */
export const RATE_MS = 60;

/** How many requests of each rank come, and how many came lately in all. */
export class Crowd {
  /** Since the last measurement. */
  readonly #arrived: Float64Array;
  /** Requests per millisecond of each rank. */
  readonly rates: Float64Array;
  /** The latest measurements in a ring. */
  readonly #came = new Float64Array(MEASUREMENTS);
  readonly #spansMs = new Float64Array(MEASUREMENTS);
  #last = 0;
  /** In all, since the last measurement. */
  #now = 0;
  /** In the last tenth of a second, up to the last measurement, and how long that was. */
  #many = 0;
  #manyMs = WINDOW_MS;

  constructor(ranks: number) {
    this.#arrived = new Float64Array(ranks);
    this.rates = new Float64Array(ranks);
  }

  came(rank: number): void {
    this.#arrived[rank]++;
    this.#now++;
  }

  /** How many came between the two measurements before. */
  get before(): number {
    return this.#came[this.#last];
  }

  /** Whether there was no crowd, and is none by now. */
  get isFew(): boolean {
    return this.#many < CROWD && this.#now < CROWD;
  }

  /** `isOwn`: where the loop is busy with them they may have come in longer, since then each of them takes long. */
  isCrowd(isOwn: boolean): boolean {
    return this.#many >= CROWD && (isOwn || this.#many / this.#manyMs >= CROWD / WINDOW_MS);
  }

  /** Takes what came in so many milliseconds. */
  measure(elapsedMs: number): void {
    const latest = Math.min(1, elapsedMs / RATE_MS);
    for (let rank = 0; rank < this.rates.length; rank++) {
      this.rates[rank] += latest * (this.#arrived[rank] / elapsedMs - this.rates[rank]);
      this.#arrived[rank] = 0;
    }
    this.#last = (this.#last + 1) % MEASUREMENTS;
    this.#came[this.#last] = this.#now;
    this.#spansMs[this.#last] = elapsedMs;
    this.#now = 0;
    this.#lookBack();
  }

  #lookBack(): void {
    this.#many = 0;
    this.#manyMs = 0;
    for (let back = 0; back < MEASUREMENTS && this.#manyMs < WINDOW_MS; back++) {
      const at = (this.#last + MEASUREMENTS - back) % MEASUREMENTS;
      this.#many += this.#came[at];
      this.#manyMs += this.#spansMs[at];
    }
  }
}
