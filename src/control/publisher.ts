import type { Clock, Logger, Meter } from '../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../errors.ts';
import { type Activatable, type Activation, ActivationError } from '../lifecycle/index.ts';
import { WorkerError } from './worker-protocol.ts';

/**
 * What asked for a revision: the document on disk at the start, a changed file, SIGHUP, a caller of the admin API, the
 * store at the start, or somebody who goes back to an earlier one.
 */
export type PublishOrigin = 'start' | 'file' | 'signal' | 'api' | 'store' | 'rollback';

/** Whether what came from there is the document on disk. */
export const isFromDisk = (origin: PublishOrigin | undefined): boolean =>
  origin === 'start' || origin === 'file' || origin === 'signal';

export interface PublishRequest<B> {
  readonly origin: PublishOrigin;
  /** Who asked, for the audit: `system`, or the admin caller. */
  readonly actor: string;
  /** Why, in the words of who asked; '' for none. */
  readonly reason?: string;
  /** Publish only while this revision is active. Looked at in turn, so that no other slips between. */
  readonly expectedRevision?: string | undefined;
  /** It goes live at once, whatever its document says: it was decided elsewhere. */
  readonly isDecided?: true;
  /** It is active in the store already, since another node activated it. */
  readonly isFollowed?: true;
  /** Of who drives a rollout among several nodes: the store takes it from nobody else. */
  readonly fence?: number | undefined;
  /** It is what is live already, with a file of it as it is now. */
  readonly isRenewal?: true;
  /** Reads and checks the document; called in its turn, so that the newest content wins. Throws ConfigError. */
  readonly load: () => Promise<B>;
}

/**
 * What became of it. A refusal leaves everything as it was; `stale`: another revision than expected is active. `rollout`:
 * it has begun to go its way, step by step. `busy`: another has, and nothing was done.
 */
export type PublishResult =
  | { readonly outcome: 'rollout'; readonly revision: string; readonly rollout: string }
  | { readonly outcome: 'busy'; readonly revision: string | undefined; readonly rollout: string }
  | { readonly outcome: 'stale'; readonly revision: string | undefined }
  | { readonly outcome: 'activated'; readonly revision: string }
  | { readonly outcome: 'unchanged'; readonly revision: string }
  | {
      readonly outcome: 'refused';
      readonly revision: string | undefined;
      readonly issues: readonly ConfigIssue[];
    };

/** The last offer that was not taken, as status and readiness show it. */
export interface Refusal {
  readonly atMs: number;
  readonly origin: PublishOrigin;
  readonly revision: string | undefined;
  readonly issues: readonly ConfigIssue[];
}

/** Whoever takes revisions on a longer way than at once. */
export interface Diversion<B> {
  /** Why an offer is not even read. */
  refuses(request: PublishRequest<B>): PublishResult | undefined;
  /** Takes what was found sound; undefined: it is for the publisher to activate. Rejects like an activation. */
  take(request: PublishRequest<B>, bundle: B): Promise<PublishResult | undefined>;
}

export interface PublisherDeps<B extends Activatable> {
  readonly activation: Activation<B>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  /** Whether two bundles of one revision also hold the same files and secrets: then there is nothing to do. */
  readonly isSame: (a: B, b: B) => boolean;
  /** Asked of every offer that is not decided yet; undefined: all go live at once. */
  readonly diversion?: () => Diversion<B> | undefined;
  /** Told of every end: keeps the last good revision and the audit. A failure here is logged, never undone. */
  readonly remember: (
    request: PublishRequest<B>,
    bundle: B | undefined,
    result: PublishResult,
  ) => Promise<void>;
}

/** The one way of a document into service: from wherever it comes, in turn, whole or not at all. */
export class Publisher<B extends Activatable> {
  readonly #deps: PublisherDeps<B>;
  #tail: Promise<unknown> = Promise.resolve();
  #refusal: Refusal | undefined;
  #activatedAtMs: number | undefined;
  #takenFrom: PublishOrigin | undefined;

  constructor(deps: PublisherDeps<B>) {
    this.#deps = deps;
  }

  /** Why the latest offer was refused; undefined when it was taken. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** Milliseconds since the epoch, or undefined before the first activation. */
  get activatedAtMs(): number | undefined {
    return this.#activatedAtMs;
  }

  /** Where the latest offer that was taken came from, one that changed nothing included. */
  get takenFrom(): PublishOrigin | undefined {
    return this.#takenFrom;
  }

  /** Keeps a refusal in view although another revision was taken since: the document on disk is still bad. */
  refuse(origin: PublishOrigin, { revision, issues }: Omit<Refusal, 'atMs' | 'origin'>): void {
    this.#refusal = { atMs: this.#deps.clock.now(), origin, revision, issues };
  }

  /** Never rejects: what is wrong is in the result. */
  publish(request: PublishRequest<B>): Promise<PublishResult> {
    const turn = this.#tail.then(() => this.#take(request));
    this.#tail = turn.catch(() => {});
    return turn;
  }

  async #take(request: PublishRequest<B>): Promise<PublishResult> {
    const active = this.#deps.activation.active?.revision;
    if (request.expectedRevision !== undefined && request.expectedRevision !== active) {
      return { outcome: 'stale', revision: active };
    }
    const diversion = request.isDecided === true ? undefined : this.#deps.diversion?.();
    const busy = diversion?.refuses(request);
    if (busy !== undefined) return busy;
    let bundle: B | undefined;
    let result: PublishResult;
    try {
      bundle = await request.load();
      result = (await diversion?.take(request, bundle)) ?? (await this.#activate(bundle));
    } catch (error) {
      result = { outcome: 'refused', revision: bundle?.revision, issues: issuesOf(error) };
    }
    this.#note(request, result);
    try {
      await this.#deps.remember(request, bundle, result);
    } catch (error) {
      this.#deps.log.error('revision-not-recorded', { revision: bundle?.revision, error });
    }
    return result;
  }

  async #activate(bundle: B): Promise<PublishResult> {
    const { activation, isSame } = this.#deps;
    const { revision } = bundle;
    if (activation.active !== undefined && isSame(activation.active, bundle)) {
      return { outcome: 'unchanged', revision };
    }
    await activation.publish(bundle);
    this.#activatedAtMs = this.#deps.clock.now();
    return { outcome: 'activated', revision };
  }

  #note(request: PublishRequest<B>, result: PublishResult): void {
    const { log, meter, clock } = this.#deps;
    const { origin, actor } = request;
    meter.counter('sallyport_config_reloads_total', { result: result.outcome }).add(1);
    if (result.outcome === 'stale' || result.outcome === 'busy') return;
    if (result.outcome !== 'refused') {
      this.#refusal = undefined;
      // What is on its way is not taken yet.
      if (result.outcome !== 'rollout') this.#takenFrom = origin;
      log.info(`revision-${result.outcome}`, { revision: result.revision, origin, actor });
      return;
    }
    const { revision, issues } = result;
    this.#refusal = { atMs: clock.now(), origin, revision, issues };
    // At the start the person at the terminal is told in words.
    if (origin !== 'start') log.error('revision-refused', { revision, origin, actor, issues });
  }
}

/** The ways in which the system refuses to listen. */
const LISTEN_FIXES: Readonly<Record<string, string>> = {
  EACCES: 'ports below 1024 need a right: choose another, or grant CAP_NET_BIND_SERVICE',
  EADDRINUSE: 'end the program that has the port, or choose another',
  EADDRNOTAVAIL: 'this machine has no such address; 0.0.0.0 stands for all it has',
};

/** What an error says to the author of the document. A worker's refusal stays what it was before it crossed. */
function issuesOf(error: unknown): readonly ConfigIssue[] {
  const cause = error instanceof ActivationError ? error.cause : error;
  if (cause instanceof ConfigError) return cause.issues;
  const known = cause instanceof WorkerError ? LISTEN_FIXES[cause.code ?? ''] : undefined;
  if (cause instanceof WorkerError && known !== undefined) {
    return [{ path: 'listeners', message: cause.message, suggestion: known }];
  }
  return [{ path: '', message: cause instanceof Error ? cause.message : String(cause) }];
}
