import { join } from 'node:path';
import type { Clock, Logger, Meter } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import {
  openPostgresStore,
  openSqliteStore,
  type PostgresSettings,
  postgresText,
  type Store,
  StoreError,
  StoreHealth,
  type StoreState,
} from '../../store/index.ts';
import { type ChangeHandlers, StoreFollower } from './store-follower.ts';

export interface NodeStoreOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  /** Folder of the embedded store. */
  readonly data: string;
  /** Where several nodes have their store; undefined for the embedded one. */
  readonly postgres: PostgresSettings | undefined;
}

/** The store of this node: opened, looked after, and followed where others change it. */
export class NodeStore {
  readonly store: Store;
  /** As a person may see it; undefined for the embedded one. */
  readonly address: string | undefined;
  readonly #health: StoreHealth;
  readonly #follower: StoreFollower;
  #end: () => void = () => {};

  private constructor(store: Store, health: StoreHealth, { log, postgres }: NodeStoreOptions) {
    this.store = store;
    this.#health = health;
    this.#follower = new StoreFollower({ log, schedule });
    this.address = postgres === undefined ? undefined : postgresText(postgres);
    health.onBack(() => this.#follower.back());
  }

  /**
   * Traffic does not need the store: one that cannot be reached is told of, and waited for. Throws ConfigError for one
   * that a newer program has written: to serve beside it would be to lose what it holds.
   */
  static async open(options: NodeStoreOptions): Promise<NodeStore> {
    const { clock, log, meter, data, postgres } = options;
    const path = join(data, 'sallyport.db');
    const name = postgres === undefined ? path : postgresText(postgres);
    const up = meter.gauge('sallyport_store_up');
    const health = new StoreHealth({ clock, log, up, store: name, schedule });
    try {
      const store =
        postgres === undefined ? openSqliteStore(path, health) : await openPostgresStore(postgres, health);
      const node = new NodeStore(store, health, options);
      await node.#watch();
      return node;
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'schema-too-new')) throw error;
      const other = postgres === undefined ? '--data' : '--store';
      throw ConfigError.at(
        '',
        `${name}: ${error.message}`,
        `run the newer program, or give another ${other}`,
      );
    }
  }

  get state(): StoreState {
    return this.#health.state;
  }

  /** From now on what others have changed since it was opened, or what is found again, takes effect here as well. */
  follow(handlers: ChangeHandlers): void {
    this.#follower.begin(handlers);
  }

  async close(): Promise<void> {
    this.#end();
    this.#follower.end();
    await this.store.close();
  }

  /** From before anything is read of it, so that nothing is missed. */
  async #watch(): Promise<void> {
    this.#end = await this.store.watch((changes) => this.#follower.take(changes));
  }
}

const schedule = (work: () => void, delayMs: number): void => void setTimeout(work, delayMs).unref();
