import type { LeaseTable } from './lease-table.ts';

interface Lease {
  readonly holder: string;
  readonly fence: number;
  readonly untilMs: number;
}

/** Leases of the embedded store, which one program has at a time. */
export class MemoryLeases implements LeaseTable {
  readonly #leases = new Map<string, Lease>();
  readonly #nowMs: () => number;

  /** `nowMs`: of a clock that only goes forward. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  async take(name: string, holder: string, forMs: number): Promise<number | undefined> {
    const before = this.#leases.get(name);
    const isSame = before?.holder === holder;
    if (before !== undefined && !isSame && before.untilMs > this.#nowMs()) return undefined;
    const fence = (before?.fence ?? 0) + (isSame ? 0 : 1);
    this.#leases.set(name, { holder, fence, untilMs: this.#nowMs() + forMs });
    return fence;
  }

  async release(name: string, holder: string): Promise<void> {
    const before = this.#leases.get(name);
    if (before?.holder === holder) this.#leases.set(name, { ...before, untilMs: Number.NEGATIVE_INFINITY });
  }

  /** Whether nobody has taken it since. `fence` undefined: it does not matter. */
  isCurrent(name: string, fence: number | undefined): boolean {
    return fence === undefined || this.#leases.get(name)?.fence === fence;
  }
}
