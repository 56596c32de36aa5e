/** The right to do something that one node at a time may do. */
export interface LeaseTable {
  /**
   * Takes it, or has it for longer, until so long from now by the clock of the store. Gives its fence: a number that is
   * higher each time it changes hands, so that writes of a holder that stood still meanwhile can be told. Undefined while
   * another holds it. Rejects with StoreError.
   */
  take(name: string, holder: string, forMs: number): Promise<number | undefined>;
  /** Gives it up before its time; who does not hold it changes nothing. Rejects with StoreError. */
  release(name: string, holder: string): Promise<void>;
}

/** What the one node holds that drives the rollout under way. */
export const ROLLOUT_LEASE = 'rollouts';
