/** What one caller has used of one quota. */
export interface QuotaUsageEntry {
  /** Of scope and key: 24 hex digits. */
  readonly id: string;
  /** What it is counted under. */
  readonly scope: string;
  readonly key: string;
  /** Id of the attachment. */
  readonly attachment: string;
  /** Name of the quota. */
  readonly name: string;
  /** What the key is: `consumer`, `header x-tenant`… */
  readonly by: string;
  readonly shadow: boolean;
  /** Whether anybody may be such a key without proving anything. */
  readonly unproven: boolean;
  /** As it was when it was last charged. */
  readonly limit: number;
  /** The window that is counted in; milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  readonly used: number;
  /** On top of the limit: carried over into the window, or granted. */
  readonly carried: number;
  readonly carryOver: number;
  /** Until when it means something for a later window. */
  readonly keptUntilMs: number;
}

export interface QuotaUsageQuery {
  readonly attachment?: string | undefined;
  readonly by?: string | undefined;
  /** Any of these. */
  readonly keys?: readonly string[] | undefined;
  /** Only entries whose window has not ended then. */
  readonly nowMs: number;
  /** At most so many, 1 to 1,000. */
  readonly limit: number;
  /** Only those behind the entry of this id. */
  readonly after?: string | undefined;
}

/** Usage of quotas, kept beyond the process. Every method may reject with StoreError. */
export interface QuotaUsageStore {
  /** Puts entries in place of those of their scope and key: all or none. */
  put(entries: readonly QuotaUsageEntry[]): Promise<void>;
  get(id: string): Promise<QuotaUsageEntry | undefined>;
  /** By what they are counted under, and by key. Rejects with `not-found` where `after` is not there. */
  list(query: QuotaUsageQuery): Promise<readonly QuotaUsageEntry[]>;
  /** All that still mean something. */
  kept(nowMs: number): Promise<readonly QuotaUsageEntry[]>;
  /** Forgets what means nothing any more, at most so many at once; how many there were. */
  forget(nowMs: number, most: number): Promise<number>;
}
