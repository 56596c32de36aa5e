/** One content that a list had or was offered. Immutable. */
export interface ListVersion {
  readonly list: string;
  /** Hash of the content: 64 hex digits. The same content is one version, however often it came. */
  readonly id: string;
  readonly entries: number;
  /** Where it came from, without anything secret. */
  readonly source: string;
  /** Milliseconds since the epoch, like all times here. */
  readonly createdAt: number;
}

/** A version that waits for a person. */
export interface HeldVersion {
  readonly version: string;
  readonly at: number;
  /** Why it was not taken, in words. */
  readonly reasons: readonly string[];
}

/** Where a list stands: what it needs after a restart. */
export interface ListState {
  readonly list: string;
  /** The version that is served; undefined before the first. */
  readonly current: string | undefined;
  /** Stays at `current` whatever the source says. */
  readonly pinned: boolean;
  /** The version that the source had last. */
  readonly fetched: string | undefined;
  /** What the source named `fetched` by, for conditional requests; good for `source` alone. */
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly source: string;
  /** When the source was last read without a fault. */
  readonly refreshedAt: number | undefined;
  readonly held: HeldVersion | undefined;
  /** The version that a person turned down last. */
  readonly rejected: string | undefined;
}

/** Versions of address lists. Every method may reject with StoreError. */
export interface ListStore {
  /** Puts a version; one that is there already stays as it was. */
  putVersion(version: ListVersion, content: Uint8Array): Promise<void>;
  /** The content of a version, or undefined. */
  content(list: string, id: string): Promise<Uint8Array | undefined>;
  /** Newest first, without contents. */
  versions(list: string): Promise<readonly ListVersion[]>;
  /** Leaves the newest `limit` versions and those named. */
  prune(list: string, limit: number, keep: readonly string[]): Promise<void>;
  putState(state: ListState): Promise<void>;
  state(list: string): Promise<ListState | undefined>;
}
