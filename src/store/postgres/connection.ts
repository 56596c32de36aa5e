import type { StoreHealth } from '../health.ts';
import { StoreError } from '../store.ts';
import { migratePostgres } from './migrations.ts';
import type { Patience, PostgresPool, Session, Work } from './pool.ts';

/** Fails where the server may be read and not be written: a disk that is full, a standby. */
const WRITE = 'UPDATE change_head SET number = number';

/**
 * A database with our tables in it. They are brought up to date before anything else is asked, now or when the server can
 * be reached; while it cannot, what is asked is refused at once.
 */
export class PostgresConnection {
  readonly #pool: PostgresPool;
  readonly #schema: string;
  readonly #health: StoreHealth | undefined;
  #prepared: Promise<void> | undefined;

  constructor(pool: PostgresPool, schema: string, health: StoreHealth | undefined) {
    this.#pool = pool;
    this.#schema = schema;
    this.#health = health;
    health?.probeBy(async () => {
      await this.prepare();
      await pool.run((session) => session.write(WRITE));
    });
  }

  /** Rejects with StoreError. */
  run<T>(work: Work<T>, patience?: Patience): Promise<T> {
    return this.#watched(() => this.#pool.run(work, patience));
  }

  /** All of it or nothing. Rejects with StoreError. */
  transaction<T>(
    work: (session: Session) => Promise<T>,
    options?: { readonly begin?: string; readonly patience?: Patience },
  ): Promise<T> {
    return this.#watched(() => this.#pool.transaction(work, options));
  }

  /** See the pool's. */
  async listener(channel: string, onNotice: () => void, onEnd: () => void): Promise<{ release(): void }> {
    this.#health?.admit();
    return await this.#pool.listener(channel, onNotice, onEnd);
  }

  /** Brings the tables up to date, once. Rejects with StoreError. */
  prepare(): Promise<void> {
    this.#prepared ??= migratePostgres(this.#pool, this.#schema).catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async close(): Promise<void> {
    this.#health?.end();
    await this.#pool.close();
  }

  async #watched<T>(work: () => Promise<T>): Promise<T> {
    this.#pool.assertOpen();
    this.#health?.admit();
    try {
      await this.prepare();
      return await work();
    } catch (error) {
      if (error instanceof StoreError) this.#health?.failed(error);
      throw error;
    }
  }
}
