import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StoreHealth } from './health.ts';
import { StoreError } from './store.ts';

/** How long a probe waits for one that has locked the database: it holds up the thread. */
const PROBE_TIMEOUT_MS = 50;

/** A database: statements are prepared once, failures become StoreError. */
export class SqliteConnection {
  readonly #open: () => DatabaseSync;
  readonly #health: StoreHealth | undefined;
  readonly #statements = new Map<string, StatementSync>();
  #opened: DatabaseSync | undefined;
  #isClosed = false;

  constructor(open: () => DatabaseSync, health?: StoreHealth) {
    this.#open = open;
    this.#health = health;
    health?.probeBy(async () => guard(() => this.#probe()));
  }

  /** @throws StoreError */
  open(): void {
    guard(() => this.#database());
  }

  prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database().prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: () => T): T {
    const database = this.#database();
    database.exec(begin);
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }

  /** Runs at once; the promise is there for stores that live elsewhere. */
  async run<T>(work: () => T): Promise<T> {
    if (this.#isClosed) throw new StoreError('closed', 'the store is closed');
    this.#health?.admit();
    try {
      return guard(() => {
        this.#database();
        return work();
      });
    } catch (error) {
      if (error instanceof StoreError) this.#health?.failed(error);
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) throw new StoreError('closed', 'the store is closed');
    this.#isClosed = true;
    this.#health?.end();
    this.#statements.clear();
    guard(() => this.#opened?.close());
  }

  #database(): DatabaseSync {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  /** Writes, and changes nothing. */
  #probe(): void {
    const database = this.#database();
    const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
    const patience = Number(database.prepare('PRAGMA busy_timeout').get()?.timeout);
    database.exec(`PRAGMA busy_timeout = ${PROBE_TIMEOUT_MS}`);
    try {
      database.exec(`PRAGMA user_version = ${version}`);
    } finally {
      database.exec(`PRAGMA busy_timeout = ${patience}`);
    }
  }
}

/** Primary result codes of SQLite that mean a damaged file. */
const CORRUPT_CODES: ReadonlySet<number> = new Set([11, 26]);
const SQLITE_ERROR = 1;
const SQLITE_CONSTRAINT = 19;

/** Whatever it throws is a StoreError. */
export function guard<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof StoreError ? error : toStoreError(error);
  }
}

function toStoreError(cause: unknown): StoreError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const result = resultCode(cause);
  if (result === SQLITE_CONSTRAINT)
    return new StoreError('conflict', 'it is in the store already', { cause });
  // A statement of ours that does not fit the tables means that these are not ours.
  const isCorrupt = result !== undefined && (CORRUPT_CODES.has(result) || result === SQLITE_ERROR);
  return new StoreError(isCorrupt ? 'corrupt' : 'unavailable', `the store failed: ${message}`, { cause });
}

/** The primary code is the low byte of the extended one. */
const resultCode = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : undefined;
