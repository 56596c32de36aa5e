import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { StoreError } from './store.ts';

/** An open database: statements are prepared once, failures become StoreError. */
export class SqliteConnection {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: () => T): T {
    this.#database.exec(begin);
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** Runs at once; the promise is there for stores that live elsewhere. */
  async run<T>(work: () => T): Promise<T> {
    return guard(() => {
      if (!this.#database.isOpen) throw new StoreError('closed', 'the store is closed');
      return work();
    });
  }

  close(): Promise<void> {
    return this.run(() => {
      this.#statements.clear();
      this.#database.close();
    });
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
