import type { UpstreamPlan } from '../contract/index.ts';
import type { TargetDeps } from './target.ts';
import { Upstream } from './upstream.ts';

/**
 * The upstreams of a worker. An upstream that is the same in two revisions is one object: its connections and
 * what it learned of its targets outlive a reload. Counted by users; the last one out closes it.
 */
export class UpstreamRegistry {
  readonly #entries = new Map<string, { readonly upstream: Upstream; users: number }>();
  readonly #deps: TargetDeps;

  constructor(deps: TargetDeps) {
    this.#deps = deps;
  }

  acquire(plan: UpstreamPlan): Upstream {
    const key = JSON.stringify(plan);
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.users++;
      return known.upstream;
    }
    const upstream = new Upstream(plan, this.#deps);
    this.#entries.set(key, { upstream, users: 1 });
    return upstream;
  }

  release(upstream: Upstream): void {
    const key = JSON.stringify(upstream.plan);
    const entry = this.#entries.get(key);
    if (entry === undefined || --entry.users > 0) return;
    this.#entries.delete(key);
    upstream.close();
  }
}
