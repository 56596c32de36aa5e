import { createHash } from 'node:crypto';
import type { Clock, Logger } from '../../contract/index.ts';
import { SortedNetworks } from '../../lib/sorted-networks.ts';
import type { AuditEntry, ListState, ListVersion, Store } from '../../store/index.ts';

export interface ListShelfDeps {
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Versions of a list that are kept, beside those in use. */
const MAX_VERSIONS = 10;

/** Which content it is: the same networks have the same id, whatever form they came in. */
export const versionOf = (networks: SortedNetworks): string =>
  createHash('sha256').update(networks.encode()).digest('hex');

/** Contents and states of lists in the store. Lists go on without one: what fails is logged, and lost at the end. */
export class ListShelf {
  readonly #deps: ListShelfDeps;

  constructor(deps: ListShelfDeps) {
    this.#deps = deps;
  }

  /** Where the list stood; undefined where nothing is known of it. */
  state(list: string): Promise<ListState | undefined> {
    return this.#try(list, async (store) => await store.lists.state(list));
  }

  /** A version's content; undefined where it is not there, or is not as it was put. */
  async networks(list: string, id: string): Promise<SortedNetworks | undefined> {
    const bytes = await this.#try(list, async (store) => await store.lists.content(list, id));
    if (bytes === undefined) return undefined;
    const networks = SortedNetworks.decode(bytes);
    if (networks !== undefined && versionOf(networks) === id) return networks;
    this.#deps.log.error('list-version-damaged', { list, version: id });
    return undefined;
  }

  async keep(version: ListVersion, networks: SortedNetworks): Promise<void> {
    await this.#try(version.list, (store) => store.lists.putVersion(version, networks.encode()));
  }

  /** Puts the state, and lets go of versions that are neither new nor named by it. */
  async keepState(state: ListState): Promise<void> {
    const { list, current, fetched, held, rejected } = state;
    const named = [current, fetched, held?.version, rejected].filter((id) => id !== undefined);
    await this.#try(list, async (store) => {
      await store.lists.putState(state);
      await store.lists.prune(list, MAX_VERSIONS, named);
    });
  }

  async audit(entry: Omit<AuditEntry, 'at'>): Promise<void> {
    const at = this.#deps.clock.now();
    await this.#try(entry.subject, async (store) => void (await store.appendAudit({ at, ...entry })));
  }

  async #try<T>(list: string, work: (store: Store) => Promise<T>): Promise<T | undefined> {
    const store = this.#deps.store();
    if (store === undefined) return undefined;
    try {
      return await work(store);
    } catch (error) {
      this.#deps.log.error('list-not-stored', { list, error });
      return undefined;
    }
  }
}
