import type { Clock, RecordedRequest, Snapshot } from '../../contract/index.ts';
import { type Explanation, loadExplain, type TriedRequest } from '../../lifecycle/index.ts';
import type { OfferedBundle } from '../offered-bundle.ts';

export interface ExplainDeskDeps {
  readonly clock: Clock;
  /** What is kept of a request that was served; undefined where nothing is. */
  readonly find: (requestId: string) => Promise<RecordedRequest | undefined>;
  /** What is served now. */
  readonly active: () => OfferedBundle | undefined;
  /** Compiles what is served once more, on this side. To be disposed by who asked. */
  readonly compile: (bundle: OfferedBundle) => Promise<Snapshot>;
}

/** Why there is no explanation. */
export type Unexplained = 'not-recorded' | 'nothing-served' | 'no-such-listener';

/** Explains decisions of the revision that is served. */
export class ExplainDesk {
  readonly #deps: ExplainDeskDeps;

  constructor(deps: ExplainDeskDeps) {
    this.#deps = deps;
  }

  /** A request that was served, and what of it is kept. */
  async recorded(requestId: string): Promise<Explanation | Unexplained> {
    const record = await this.#deps.find(requestId);
    if (record === undefined) return 'not-recorded';
    return this.#bySnapshot(async (snapshot) => {
      const { explain } = await loadExplain();
      return explain(snapshot, record);
    });
  }

  /** A request that has not happened, as if it came now. */
  async tried(request: TriedRequest): Promise<Explanation | Unexplained> {
    return this.#bySnapshot(async (snapshot) => {
      const { explain, recordOfTried } = await loadExplain();
      const { listener: name } = request;
      const plan =
        name === undefined ? snapshot.listeners[0] : snapshot.listeners.find((l) => l.name === name);
      if (plan === undefined) return 'no-such-listener';
      const scheme = plan.tls === undefined ? 'http' : 'https';
      const record = recordOfTried(request, { name: plan.name, scheme }, this.#deps.clock.now());
      return explain(snapshot, record, { isProved: true });
    });
  }

  async #bySnapshot(
    work: (snapshot: Snapshot) => Promise<Explanation | Unexplained>,
  ): Promise<Explanation | Unexplained> {
    const bundle = this.#deps.active();
    if (bundle === undefined) return 'nothing-served';
    const snapshot = await this.#deps.compile(bundle);
    try {
      return await work(snapshot);
    } finally {
      await snapshot.dispose();
    }
  }
}
