/** A connection whose request was refused, and that is not read for a while. */
export interface Resting {
  /** It is read again. `late`: what it sent meanwhile may have waited for too long. */
  wake(late: boolean): void;
}

/** So often, at most, it is looked at who is to be read again: in small parts, or they would all ask at once. */
const LOOK_MS = 3;
/** The rate of what comes is of about so long: as long as a connection takes to ask again. */
const RATE_MS = 12;
/** Of the requests that could be let on and do not come, so many connections are read again: each goes on asking. */
const WOKEN_PART = 0.5;

/** The connections that are not read, and when they are again. */
export class Rested {
  /** In the order in which they came. */
  readonly #resting: { readonly connection: Resting; readonly sinceMs: number }[] = [];
  #lookedMs: number;
  #came = 0;
  /** Requests per millisecond that come. */
  #rate = 0;
  /** So many connections, or parts of one, are to be read again. */
  #owed = 0;
  /** The longest a connection rests, in milliseconds. */
  restMs = 0;
  /** What may have waited longer than this has waited too long. */
  lateMs = 0;

  constructor(nowMs: number) {
    this.#lookedMs = nowMs;
  }

  get length(): number {
    return this.#resting.length;
  }

  /** A request came, on whatever connection. */
  came(): void {
    this.#came++;
  }

  rest(connection: Resting, nowMs: number): void {
    this.#resting.push({ connection, sinceMs: nowMs });
  }

  /**
   * Reads again who has rested for long enough; and where fewer requests come than `wantedPerMs`, some of the others,
   * the latest first: what they sent is the youngest.
   */
  look(nowMs: number, wantedPerMs: number): void {
    const elapsedMs = nowMs - this.#lookedMs;
    if (elapsedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    this.#rate += Math.min(1, elapsedMs / RATE_MS) * (this.#came / elapsedMs - this.#rate);
    this.#came = 0;
    const resting = this.#resting;
    if (resting.length === 0) return;
    const woken = this.#due(nowMs, elapsedMs);
    this.#owed = Math.min(
      resting.length,
      Math.max(0, this.#owed + (wantedPerMs - this.#rate) * elapsedMs * WOKEN_PART),
    );
    const early = Math.floor(this.#owed);
    this.#owed -= early;
    if (early > 0) woken.push(...resting.splice(-early));
    for (const { connection, sinceMs } of woken) connection.wake(nowMs - sinceMs > this.lateMs);
  }

  /** Who has rested long enough, a few at a time. */
  #due(nowMs: number, elapsedMs: number): { readonly connection: Resting; readonly sinceMs: number }[] {
    const resting = this.#resting;
    const most = Math.min(resting.length, Math.ceil((resting.length * 2 * elapsedMs) / this.restMs));
    let due = 0;
    while (due < most && resting[due].sinceMs + this.restMs <= nowMs) due++;
    return resting.splice(0, due);
  }
}
