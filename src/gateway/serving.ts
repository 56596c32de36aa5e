import type { ListenerPlan, Meter, Snapshot } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import type { Upstream, UpstreamRegistry } from '../upstream/index.ts';
import { ServingMeters } from './meters.ts';

/**
 * A snapshot in service on this worker. Requests hold it while they run; once it is retired, the last one to
 * let go disposes it, so that a reload never pulls a policy from under a request.
 */
export class Serving {
  readonly snapshot: Snapshot;
  readonly meters: ServingMeters;
  readonly #upstreams = new Map<string, Upstream>();
  readonly #registry: UpstreamRegistry;
  readonly #onDisposeFailure: (cause: unknown) => void;
  #requests = 0;
  #retired = false;
  #disposed: Promise<void> | undefined = undefined;

  constructor(
    snapshot: Snapshot,
    registry: UpstreamRegistry,
    meter: Meter,
    onDisposeFailure: (cause: unknown) => void,
  ) {
    this.snapshot = snapshot;
    this.#registry = registry;
    this.#onDisposeFailure = onDisposeFailure;
    this.meters = new ServingMeters(meter, snapshot.revision);
    for (const [name, plan] of snapshot.upstreams) this.#upstreams.set(name, registry.acquire(plan));
  }

  get revision(): string {
    return this.snapshot.revision;
  }

  listener(name: string): ListenerPlan | undefined {
    return this.snapshot.listeners.find((plan) => plan.name === name);
  }

  upstream(name: string): Upstream {
    const upstream = this.#upstreams.get(name);
    if (upstream === undefined)
      throw new InternalError(`revision ${this.revision} has no upstream "${name}"`);
    return upstream;
  }

  hold(): void {
    this.#requests++;
  }

  release(): void {
    this.#requests--;
    if (this.#retired && this.#requests === 0) void this.#dispose();
  }

  /** No new request will hold it. Resolves once it is disposed. */
  retire(): void {
    this.#retired = true;
    if (this.#requests === 0) void this.#dispose();
  }

  /** For a snapshot that never became active. Resolves once it is disposed, or where it was tried, at once. */
  async discard(): Promise<void> {
    this.#retired = true;
    if (this.#requests === 0) await this.#dispose();
  }

  #dispose(): Promise<void> {
    this.#disposed ??= this.#releaseAll();
    return this.#disposed;
  }

  async #releaseAll(): Promise<void> {
    for (const upstream of this.#upstreams.values()) this.#registry.release(upstream);
    try {
      await this.snapshot.dispose();
    } catch (cause) {
      this.#onDisposeFailure(cause);
    }
  }
}
