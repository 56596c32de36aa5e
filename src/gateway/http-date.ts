import type { Clock } from '../contract/index.ts';

/** The time as text, made once a second (IMF-fixdate, RFC 9110 §5.6.7) or per millisecond (ISO 8601). */
export class HttpDate {
  readonly #clock: Clock;
  #second = -1;
  #imf = '';
  #isoSecond = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  imf(): string {
    this.#refresh(this.#clock.now());
    return this.#imf;
  }

  /** `atMs` (milliseconds since the epoch) as `2026-01-31T12:00:00.000Z`. */
  iso(atMs: number): string {
    this.#refresh(atMs);
    const fraction = Math.floor(atMs) % 1000;
    return `${this.#isoSecond}.${fraction < 10 ? '00' : fraction < 100 ? '0' : ''}${fraction}Z`;
  }

  #refresh(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    const date = new Date(second * 1000);
    this.#imf = date.toUTCString();
    this.#isoSecond = date.toISOString().slice(0, 19);
  }
}
