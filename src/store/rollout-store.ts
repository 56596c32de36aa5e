/** One rollout as it is kept. */
export interface RolloutRow {
  readonly id: string;
  /** The revision on its way, and the one that is live until it arrives. '' for none. */
  readonly revision: string;
  readonly base: string;
  /** Whether it is under way. At most one is. */
  readonly isOpen: boolean;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Plain data of whoever puts it; the store looks at none of it. Undefined members come back absent. */
  readonly state: object;
}

export interface StoredRollout extends RolloutRow {
  /** Counts up by one per rollout of this store; a place in the list. */
  readonly number: number;
  /** 1 at first; counts up with every change. */
  readonly version: number;
}

/** The ways of revisions. Whoever changes one says which version it knows, so that two never write over each other. */
export interface RolloutStore {
  /** Keeps a new one as version 1. Rejects with `conflict` where it is to be open and another is, or its id is taken. */
  begin(rollout: RolloutRow): Promise<void>;
  /**
   * Puts it in the place of `version`, as the next one. False: it is another version by now, or the lease of rollouts has
   * another fence than `fence`; nothing was changed.
   */
  update(rollout: RolloutRow, version: number, fence?: number): Promise<boolean>;
  /** The one that is under way. */
  open(): Promise<StoredRollout | undefined>;
  get(id: string): Promise<StoredRollout | undefined>;
  /** Newest first; at most so many, 1 to 1,000, with a smaller number than `before`. */
  list(page: { readonly limit: number; readonly before?: number }): Promise<readonly StoredRollout[]>;
  /** Forgets those that ended, but for the latest `keep`; gives how many. */
  prune(keep: number): Promise<number>;
}
