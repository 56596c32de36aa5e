import type { Counter, Logger, Meter } from '../contract/index.ts';

/** Why a connection is turned away before it could ask anything. */
export type ConnectionRefusal =
  /** Too many in all, or from one address. */
  | 'connections'
  | 'connections-per-address'
  /** Too many at once, in all or from one address. */
  | 'new-connections'
  | 'new-connections-per-address'
  /** It does not come from a proxy that is trusted to say whose it is. */
  | 'proxy-untrusted'
  /** It does not begin with a PROXY header, or not in time. */
  | 'proxy-header'
  /** Its certificate is missing or wrong. */
  | 'client-certificate';

/** How often the log is told of one cause: how many refusals there are is an attacker's choice. */
const TOLD_EVERY_MS = 60_000;

/** Counts the connections that a listener turns away, and tells the log why, now and then. */
export class Refusals {
  readonly #services: { readonly meter: Meter; readonly log: Logger; now(): number };
  readonly #counters = new Map<string, Counter>();
  /** By reason and cause, so that one cause does not hide another. */
  readonly #toldAtMs = new Map<string, number>();

  constructor(services: { readonly meter: Meter; readonly log: Logger; now(): number }) {
    this.#services = services;
  }

  /**
   * `cause`: a word of a bounded set for the log; without it only the metrics are told. `peer` goes with it, and may be
   * anybody.
   */
  count(listener: string, reason: ConnectionRefusal, cause?: string, peer?: string): void {
    this.#counter(listener, reason).add(1);
    if (cause !== undefined) this.#tell(listener, reason, cause, peer);
  }

  /** Shows what every listener may refuse for at zero, so that an alert can be written before the first. */
  announce(listener: string): void {
    this.#counter(listener, 'connections');
    this.#counter(listener, 'connections-per-address');
    this.#counter(listener, 'new-connections');
    this.#counter(listener, 'new-connections-per-address');
  }

  #counter(listener: string, reason: ConnectionRefusal): Counter {
    const key = `${listener} ${reason}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = this.#services.meter.counter('sallyport_connections_refused_total', { listener, reason });
      this.#counters.set(key, counter);
    }
    return counter;
  }

  #tell(listener: string, reason: ConnectionRefusal, cause: string, peer: string | undefined): void {
    const now = this.#services.now();
    const key = `${reason} ${cause}`;
    const toldAt = this.#toldAtMs.get(key);
    if (toldAt !== undefined && now - toldAt < TOLD_EVERY_MS) return;
    this.#toldAtMs.set(key, now);
    const from = peer === undefined ? {} : { peer };
    this.#services.log.warn('connection-refused', { listener, reason, cause, ...from });
  }
}
