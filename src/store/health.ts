import type { Clock, Gauge, Logger } from '../contract/index.ts';
import { StoreError } from './store.ts';

/** `damaged`: it answers, and what it holds is not what was written. Somebody has to look at it. */
export type StoreState = 'ok' | 'unavailable' | 'damaged';

export interface StoreHealthDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** `sallyport_store_up`. */
  readonly up: Gauge;
  /** The store as a person may see it. */
  readonly store: string;
  readonly schedule: (work: () => void, delayMs: number) => void;
}

const FIRST_PROBE_MS = 250;
const LAST_PROBE_MS = 5000;
/** One that is lost again so soon is not believed as quickly as before. */
const STEADY_MS = 10_000;

/**
 * Whether a store can be used. Once it is lost nobody waits for it: what is asked is refused at once, until a probe finds
 * it again. Loss and return are each told once.
 */
export class StoreHealth {
  readonly #deps: StoreHealthDeps;
  readonly #onBack = new Set<() => void>();
  #probe: () => Promise<unknown> = async () => {};
  #state: StoreState = 'ok';
  #reason = '';
  /** Asked of nobody but probes. */
  #isLost = false;
  #delayMs = FIRST_PROBE_MS;
  #changedAtMs = Number.NEGATIVE_INFINITY;
  #hasEnded = false;

  constructor(deps: StoreHealthDeps) {
    this.#deps = deps;
    deps.up.set(1);
  }

  get state(): StoreState {
    return this.#state;
  }

  /** Told when the store is found again. */
  onBack(listener: () => void): void {
    this.#onBack.add(listener);
  }

  /** As `onBack`, the next time; the function it gives takes that back. */
  onceBack(listener: () => void): () => void {
    const once = (): void => {
      this.#onBack.delete(once);
      listener();
    };
    this.#onBack.add(once);
    return () => this.#onBack.delete(once);
  }

  /** How to see whether it can be read and written. Rejects with StoreError. */
  probeBy(probe: () => Promise<unknown>): void {
    this.#probe = probe;
  }

  /** @throws StoreError `unavailable` while it is lost */
  admit(): void {
    if (this.#isLost) throw new StoreError('unavailable', `the store is lost: ${this.#reason}`);
  }

  /** What a call ended with. Only what the store itself failed in says something of it. */
  failed(error: StoreError): void {
    if (error.cause === undefined || this.#hasEnded) return;
    if (error.code === 'unavailable') this.#lose('unavailable', error);
    if (error.code === 'corrupt') this.#damage(error);
  }

  /** It could not even be opened. */
  notOpened(error: StoreError): void {
    this.#lose(error.code === 'corrupt' ? 'damaged' : 'unavailable', error);
  }

  end(): void {
    this.#hasEnded = true;
  }

  #damage(error: StoreError): void {
    if (this.#state !== 'ok') return;
    this.#change('damaged', error);
    this.#deps.log.error('store-damaged', { store: this.#deps.store, error });
  }

  #lose(state: StoreState, error: StoreError): void {
    if (this.#isLost) return;
    const wasSteady = this.#deps.clock.monotonic() - this.#changedAtMs >= STEADY_MS;
    if (wasSteady) this.#delayMs = FIRST_PROBE_MS;
    this.#isLost = true;
    this.#change(this.#state === 'damaged' ? 'damaged' : state, error);
    this.#deps.log.error('store-unavailable', { store: this.#deps.store, error });
    this.#probeSoon();
  }

  #change(state: StoreState, { message }: StoreError): void {
    this.#state = state;
    this.#reason = message;
    this.#changedAtMs = this.#deps.clock.monotonic();
    this.#deps.up.set(0);
  }

  #probeSoon(): void {
    const delayMs = this.#delayMs;
    this.#delayMs = Math.min(delayMs * 2, LAST_PROBE_MS);
    this.#deps.schedule(() => void this.#look(), delayMs);
  }

  async #look(): Promise<void> {
    if (this.#hasEnded) return;
    try {
      await this.#probe();
    } catch (error) {
      if (error instanceof StoreError) this.#reason = error.message;
      if (!this.#hasEnded) this.#probeSoon();
      return;
    }
    this.#found();
  }

  #found(): void {
    const { clock, log, up, store } = this.#deps;
    const lostMs = Math.round(clock.monotonic() - this.#changedAtMs);
    this.#isLost = false;
    this.#state = 'ok';
    this.#changedAtMs = clock.monotonic();
    up.set(1);
    log.info('store-recovered', { store, lostMs });
    for (const listener of this.#onBack) listener();
  }
}
