/** The memory of all that is counted on a node: goes to every worker, which attaches to it. */
export interface CounterMemory {
  /** Rates, fixed windows and sums. */
  readonly counters: SharedArrayBuffer;
  /** Quotas, in a table of their own: no flood of addresses keeps one from a place, nor waits for one. */
  readonly quotas: SharedArrayBuffer;
  /** Places of requests under way, and of what is open. */
  readonly slots: SharedArrayBuffer;
}
