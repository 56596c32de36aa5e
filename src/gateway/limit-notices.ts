import type { Counter, Meter, Notice, Notices } from '../contract/index.ts';

/** What limiters want to be told of, as a metric. */
export class LimitNotices implements Notices {
  readonly #meter: Meter;
  readonly #counters = new Map<string, Counter>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  count(attachment: string, notice: Notice): void {
    const key = `${notice} ${attachment}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = this.#meter.counter('sallyport_limit_notices_total', { attachment, notice });
      this.#counters.set(key, counter);
    }
    counter.add(1);
  }
}
