import type { Clock, Logger, Random } from '../../contract/index.ts';
import type { Finding } from '../../lifecycle/index.ts';
import type { Store, StoreState } from '../../store/index.ts';
import type { Callers } from '../callers/index.ts';
import type { ExplainDesk } from '../explain/index.ts';
import type { BanDesk } from '../live/ban-desk.ts';
import type { Feeds } from '../live/feeds.ts';
import type { NodeWatch } from '../nodes/index.ts';
import type { OfferedBundle } from '../offered-bundle.ts';
import type { PublishResult, Refusal } from '../publisher.ts';
import type { QuotaDesk } from '../quotas/index.ts';
import type { RecordingDesk } from '../recordings/index.ts';
import type { RolloutDesk } from '../rollouts/index.ts';
import type { AdminToken } from '../token.ts';
import type { WorkerStatus } from '../workers.ts';

/** A document offered by a caller of the API. */
export interface DocumentOffer {
  /** YAML or JSON, as sent. */
  readonly text: string;
  /** Who offers it, for the audit. */
  readonly actor: string;
  /** Why, in the caller's words; '' for none. */
  readonly reason: string;
  /** Publish only while this revision is active. Checked in the offer's turn, so that no other slips between. */
  readonly expectedRevision: string | undefined;
}

/** `stale`: another revision than the expected one is active; nothing was done. */
export type OfferResult = (
  | PublishResult
  | { readonly outcome: 'stale'; readonly revision: string | undefined }
) & {
  /** What the lint has to say of it. */
  readonly findings?: readonly Finding[];
};

export interface Readiness {
  readonly ready: boolean;
  /** Why not, or what to know; public, so without values from the document. */
  readonly reason: string | undefined;
  readonly revision: string | undefined;
  /** Where the active revision came from. */
  readonly source: 'document' | 'store' | 'last-good' | undefined;
}

/** A policy as completion, docs and console forms need it. */
export interface PolicySummary {
  readonly name: string;
  readonly summary: string;
  /** JSON Schema of its config. */
  readonly schema: object;
}

/** What people do with rollouts. */
export type RolloutVerbs = Pick<
  RolloutDesk<OfferedBundle>,
  'abort' | 'approve' | 'current' | 'get' | 'list' | 'pause' | 'promote' | 'resume' | 'rollback' | 'subscribe'
>;

/** All that the admin API stands on. It holds no state of its own but that of failed sign-ins. */
export interface AdminDeps {
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly token: AdminToken;
  /** Address the server is bound to: decides which `Host` is believed. */
  readonly host: string;
  /** Further names in `Host`, without port. */
  readonly allowedHosts?: readonly string[];
  readonly publisher: {
    publish(offer: DocumentOffer): Promise<OfferResult>;
    /** Milliseconds since the epoch, or undefined before the first activation. */
    readonly activatedAtMs: number | undefined;
    /** Why the latest offer was refused; undefined when it was taken. */
    readonly refusal: Refusal | undefined;
  };
  /** Those who look after rollouts. */
  rollouts(): RolloutVerbs;
  /** Undefined while there is no usable store. */
  store(): Store | undefined;
  /** How it is with the store. Default: ok where there is one. */
  storeState?(): StoreState;
  /** The nodes that have one store. */
  readonly nodes: Pick<NodeWatch, 'list'>;
  readonly callers: Callers;
  readonly quotas: Pick<QuotaDesk, 'get' | 'grant' | 'isShared' | 'list' | 'reset'>;
  /** Started when it is first asked for. */
  recordings(): Promise<Pick<RecordingDesk, 'clear' | 'find' | 'summary'>>;
  readonly bans: Pick<BanDesk, 'ban' | 'lift' | 'list'>;
  readonly lists: Pick<Feeds, 'diff' | 'feed' | 'refresh' | 'status'>;
  readonly explain: Pick<ExplainDesk, 'recorded' | 'tried'>;
  /** Prometheus text. */
  metrics(): Promise<string>;
  workers(): readonly WorkerStatus[];
  /**
   * Replaces a worker and lets its requests end; may take as long as its drain. An idle connection is closed after a
   * second in which its next request is still answered.
   */
  restartWorker(id: number): Promise<unknown>;
  readiness(): Readiness;
  /** Whether the store that counts for several nodes answers; undefined where there is none. */
  sharedState?(): 'up' | 'lost' | undefined;
  readonly policies: readonly PolicySummary[];
  /** JSON Schema of documents. */
  documentSchema(): object;
  /** Folder of the built console; without it `/` is a plain page. */
  readonly consoleDir?: string;
  /** Default 16 MiB. */
  readonly maxDocumentBytes?: number;
}
