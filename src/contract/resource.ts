import type { Clock, Random } from './deps.ts';
import type { Logger } from './meter.ts';
import type { Network } from './network.ts';

/** What a worker keeps beside its snapshots: an issuer's keys, a token of our own. It outlives a reload. */
export interface Resource {
  /** Nobody uses it any more: ends its timers. */
  close(): void;
}

/** What a resource may use. Offline nothing is scheduled and the network is not there. */
export interface ResourceWorld {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Runs once after `delayMs`; the timer keeps no process alive. Returns what cancels it. */
  schedule(work: () => void, delayMs: number): () => void;
}

/** How a resource is told apart and made. */
export interface ResourceRequest<R extends Resource> {
  /** Kind and everything it is made of, secrets by their hashes: equal keys share one resource. */
  readonly key: string;
  readonly is: (resource: Resource) => resource is R;
  readonly open: (world: ResourceWorld) => R;
}

/** A use of a resource. The last use released closes it. */
export interface Held<R extends Resource> {
  readonly resource: R;
  release(): void;
}

/** Resources by key, counted by use: a reload takes over what the revision before had, with all it knows. */
export interface Resources {
  acquire<R extends Resource>(request: ResourceRequest<R>): Held<R>;
}
