import type { BanStore } from './ban-store.ts';
import type { ConsumerStore } from './consumer-store.ts';
import type { LeaseTable } from './lease-table.ts';
import type { ListStore } from './list-store.ts';
import type { NodeTable } from './node-table.ts';
import type { QuotaUsageStore } from './quota-usage-store.ts';
import type { RolloutStore } from './rollout-store.ts';

/** A stored document. Immutable once put. */
export interface RevisionEntry {
  /** Hash of the document's canonical form: 64 hex digits. */
  readonly id: string;
  /** The document as it was sent: YAML or JSON text. */
  readonly document: string;
  /** Files the document names, by their path in it. Never secrets. */
  readonly files: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly author: string;
  /** Why, in the author's words; '' for none. */
  readonly reason: string;
}

/** A revision in a list, without its texts. */
export interface RevisionSummary {
  /** Counts up by one per revision of this store; a place in the list. */
  readonly number: number;
  readonly id: string;
  readonly createdAt: number;
  readonly author: string;
  readonly reason: string;
}

export interface StoredRevision extends RevisionSummary, RevisionEntry {}

/** Newest first. */
export interface Page {
  /** At most so many, 1 to 1,000. */
  readonly limit: number;
  /** Only entries with a smaller number: the last of the page before. */
  readonly before?: number;
}

export interface ActiveRevision {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** How a revision became active: as a new one, or since somebody went back to it. */
export type ActivationHow = 'publish' | 'rollback';

/** One change of what is active. */
export interface StoredActivation extends ActiveRevision {
  /** Counts up; a place in the list. */
  readonly number: number;
  readonly how: ActivationHow;
}

/** Who did what to which thing. Never secrets. */
export interface AuditEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly actor: string;
  /** Stable word, e.g. `revision.activate`. */
  readonly action: string;
  readonly subject: string;
  readonly detail: Readonly<Record<string, string | number | boolean | null>>;
}

export interface StoredAuditEntry extends AuditEntry {
  /** 1 for the first; without gaps. */
  readonly number: number;
  /** SHA-256 over the hash before and this entry's canonical JSON, hex. */
  readonly hash: string;
}

/** The end of the audit chain. Kept outside, it proves later that nothing before it was changed. */
export interface AuditHead {
  readonly number: number;
  readonly hash: string;
}

export type AuditVerification =
  | { readonly intact: true; readonly head: AuditHead }
  | {
      readonly intact: false;
      /** Number of the first entry that is not as it was written. */
      readonly number: number;
      readonly fault: 'edited' | 'removed' | 'truncated';
    };

/** What several nodes share, and tell each other of. */
export const STORE_TOPICS = [
  'activations',
  'bans',
  'consumers',
  'credentials',
  'imposed-bans',
  'lists',
  'revocations',
  'rollouts',
] as const;

export type StoreTopic = (typeof STORE_TOPICS)[number];

export interface StoreChange {
  readonly topic: StoreTopic;
  /** Id or name of what has changed; '' for several. */
  readonly subject: string;
}

/** `unknown`: so much has changed that nobody knows what any more. Called in order; must not throw. */
export type StoreListener = (changes: readonly StoreChange[] | 'unknown') => void;

/**
 * Revisions, audit, callers, lists, bans and usage of quotas of the control side. The data side never waits for it. Every method may reject with
 * {@link StoreError}; the caller goes on serving.
 */
export interface Store {
  readonly consumers: ConsumerStore;
  readonly lists: ListStore;
  readonly bans: BanStore;
  readonly quotas: QuotaUsageStore;
  readonly rollouts: RolloutStore;
  readonly nodes: NodeTable;
  readonly leases: LeaseTable;
  /** Puts a revision; one that is there already stays as it was. */
  putRevision(revision: RevisionEntry): Promise<void>;
  getRevision(id: string): Promise<StoredRevision | undefined>;
  listRevisions(page: Page): Promise<readonly RevisionSummary[]>;
  /**
   * Rejects with `not-found` for a revision that was not put, and with `conflict` where the lease of rollouts has another
   * fence by now than `fence`.
   */
  setActive(id: string, at: number, how?: ActivationHow, fence?: number): Promise<void>;
  active(): Promise<ActiveRevision | undefined>;
  /** What was active, newest first. */
  listActivations(page: Page): Promise<readonly StoredActivation[]>;
  /**
   * Forgets revisions, but for the newest `keep`, those that were active since `activeSince` (milliseconds since the
   * epoch) and those of the rollout under way; gives how many.
   */
  pruneRevisions(keep: number, activeSince: number): Promise<number>;
  appendAudit(entry: AuditEntry): Promise<AuditHead>;
  listAudit(page: Page): Promise<readonly StoredAuditEntry[]>;
  /** Checks the whole chain and, where given, that it still holds `known`, a head kept elsewhere. */
  verifyAudit(known?: AuditHead): Promise<AuditVerification>;
  /**
   * Tells what others have changed since this resolved, until the function it gives is called: at once where the store
   * can say so, within a second otherwise. What this program itself changed is not told.
   */
  watch(listener: StoreListener): Promise<() => void>;
  close(): Promise<void>;
}

/**
 * - `schema-too-new`: written by a newer program; nothing was touched. Ends the start.
 * - `corrupt`: not a database, damaged, or not what this program wrote.
 * - `unavailable`: locked, full, read-only, or an I/O error.
 * - `not-found`: names what is not there.
 * - `conflict`: is there already.
 * - `closed`: used after `close`.
 */
export type StoreErrorCode =
  | 'schema-too-new'
  | 'corrupt'
  | 'unavailable'
  | 'not-found'
  | 'conflict'
  | 'closed';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
