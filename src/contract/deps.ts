import type { ConsumerDirectory } from './consumer.ts';
import type { GeoDatabases } from './geo.ts';
import type { CredentialGuard } from './guard.ts';
import type { AddressLists, BanList, Revocations } from './live.ts';
import type { Load, Notices } from './load.ts';
import type { Member } from './member.ts';
import type { Network } from './network.ts';
import type { Resources } from './resource.ts';
import type { CounterState } from './state.ts';

export type Awaitable<T> = T | Promise<T>;

/** Wall and monotonic time. The only way to ask for the time inside the evaluator. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonic(): number;
}

export interface Random {
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number): string;
}

/** Resolves `env:NAME` and `file:PATH` (relative to the document). Throws ConfigError when it is not there. */
export interface Secrets {
  resolve(reference: string): string;
}

/** Reads files a document names, relative to it. Throws ConfigError. */
export interface DocumentFiles {
  read(path: string): string;
}

/** What live traffic, shadow, tests, replay and explain give the same evaluator, each its own. */
export interface EvaluationDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly state: CounterState;
  readonly network: Network;
  readonly bans: BanList;
  readonly load: Load;
  readonly notices: Notices;
}

/** What a policy may use while it compiles. */
export interface CompileDeps {
  readonly secrets: Secrets;
  readonly files: DocumentFiles;
  readonly consumers: ConsumerDirectory;
  readonly guard: CredentialGuard;
  readonly resources: Resources;
  /** Named lists, kept fresh without a revision. Throws ConfigError for a name that the document does not declare. */
  readonly lists: AddressLists;
  readonly revocations: Revocations;
  readonly geo: GeoDatabases;
  /** Stable id of the attachment, e.g. `route:orders/rate-limit`: the scope of its counters. */
  readonly attachment: string;
  /** Name of the route, or undefined at a listener. */
  readonly route: string | undefined;
  /**
   * Compiles the attachments that stand inside the config, at `path` in it ('' for the config itself). Rejects with a
   * ConfigError of all their faults. Who asked for them disposes them.
   */
  members(items: readonly unknown[], path: string): Promise<readonly Member[]>;
}
