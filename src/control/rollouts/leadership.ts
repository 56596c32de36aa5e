import type { Clock } from '../../contract/index.ts';
import { ROLLOUT_LEASE, type Store, StoreError } from '../../store/index.ts';

export interface LeadershipDeps {
  readonly clock: Clock;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  /** Of this start of the program. */
  readonly holder: string;
}

export const LEASE_MS = 10_000;
/** No node has it yet, and no write with it is taken. */
const NO_FENCE = -1;

/** The right to drive the rollout under way, which one node has at a time. */
export class Leadership {
  readonly #deps: LeadershipDeps;
  #fence = NO_FENCE;
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: LeadershipDeps) {
    this.#deps = deps;
  }

  /** What writes carry; where another has had the lease since, they are not taken. */
  get fence(): number {
    return this.#fence;
  }

  /** Whether it was ours a moment ago, by the clock of this node: a process that stood still finds out without asking. */
  get isHeld(): boolean {
    return this.#deps.clock.monotonic() < this.#untilMs;
  }

  /** Takes it or renews it; false while another has it. Rejects with StoreError. */
  async take(): Promise<boolean> {
    const { clock, store, holder } = this.#deps;
    const { leases } = this.#store(store());
    // From before it is asked: the store counts from later on.
    const untilMs = clock.monotonic() + LEASE_MS;
    const fence = await leases.take(ROLLOUT_LEASE, holder, LEASE_MS);
    this.#untilMs = fence === undefined ? Number.NEGATIVE_INFINITY : untilMs;
    if (fence !== undefined) this.#fence = fence;
    return fence !== undefined;
  }

  /** Gives it up for others. Rejects with StoreError. */
  async release(): Promise<void> {
    this.#untilMs = Number.NEGATIVE_INFINITY;
    if (this.#fence === NO_FENCE) return;
    const { store, holder } = this.#deps;
    await this.#store(store()).leases.release(ROLLOUT_LEASE, holder);
  }

  #store(store: Store | undefined): Store {
    if (store === undefined) throw new StoreError('unavailable', 'there is no usable store');
    return store;
  }
}
