import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { type AuditLink, GENESIS, nextLink, verifyChain } from './audit-chain.ts';
import { ensurePrivateFile } from './data-directory.ts';
import { migrate } from './migrations.ts';
import { parseAudit, parseRevision, parseSummary, textOf, wholeOf } from './rows.ts';
import type {
  ActiveRevision,
  AuditEntry,
  AuditHead,
  AuditVerification,
  Page,
  RevisionEntry,
  RevisionSummary,
  Store,
  StoredAuditEntry,
  StoredRevision,
} from './store.ts';
import { StoreError } from './store.ts';

type Row = Record<string, SQLOutputValue>;

const BUSY_TIMEOUT_MS = 2000;
const MEMORY = ':memory:';
const MAX_PAGE = 1000;

/**
 * Opens the embedded store. `path` is a file (made with mode 0600) or `:memory:`. The write-ahead log and a
 * sync per commit keep an acknowledged audit entry through a power cut.
 * @throws StoreError
 */
export function openSqliteStore(path: string): Store {
  return guard(() => {
    if (path !== MEMORY) ensurePrivateFile(path);
    const database = new DatabaseSync(path, {
      timeout: BUSY_TIMEOUT_MS,
      enableForeignKeyConstraints: true,
      enableDoubleQuotedStringLiterals: false,
    });
    try {
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF');
      migrate(database);
      return new SqliteStore(database);
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  putRevision(revision: RevisionEntry): Promise<void> {
    return this.#run(() => {
      const { id, document, files, createdAt, author, reason } = revision;
      this.#prepare(
        `INSERT INTO revisions (id, document, files, created_at, author, reason) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO NOTHING`,
      ).run(id, document, JSON.stringify(files), createdAt, author, reason);
    });
  }

  getRevision(id: string): Promise<StoredRevision | undefined> {
    return this.#run(() => {
      const row = this.#prepare('SELECT * FROM revisions WHERE id = ?').get(id);
      return row === undefined ? undefined : parseRevision(row);
    });
  }

  listRevisions(page: Page): Promise<readonly RevisionSummary[]> {
    return this.#run(() =>
      this.#page('number, id, created_at, author, reason', 'revisions', page).map(parseSummary),
    );
  }

  setActive(id: string, at: number): Promise<void> {
    return this.#run(() => {
      const known = this.#prepare('SELECT 1 FROM revisions WHERE id = ?').get(id);
      if (known === undefined) throw new StoreError('not-found', `revision ${id} is not in the store`);
      this.#prepare('INSERT INTO activations (revision, at) VALUES (?, ?)').run(id, at);
    });
  }

  active(): Promise<ActiveRevision | undefined> {
    return this.#run(() => {
      const row = this.#prepare('SELECT revision, at FROM activations ORDER BY number DESC LIMIT 1').get();
      return row === undefined ? undefined : { id: textOf(row.revision), at: wholeOf(row.at) };
    });
  }

  appendAudit(entry: AuditEntry): Promise<AuditHead> {
    return this.#run(() =>
      this.#transaction('BEGIN IMMEDIATE', () => {
        const link = nextLink(this.#head(), entry);
        const { number, hash } = link;
        this.#prepare('INSERT INTO audit (number, entry, hash) VALUES (?, ?, ?)').run(
          number,
          link.entry,
          hash,
        );
        this.#prepare('INSERT OR REPLACE INTO audit_head (only, number, hash) VALUES (1, ?, ?)').run(
          number,
          hash,
        );
        return { number, hash };
      }),
    );
  }

  listAudit(page: Page): Promise<readonly StoredAuditEntry[]> {
    return this.#run(() => this.#page('number, entry, hash', 'audit', page).map(parseAudit));
  }

  verifyAudit(known?: AuditHead): Promise<AuditVerification> {
    return this.#run(() => this.#transaction('BEGIN', () => verifyChain(this.#links(), this.#head(), known)));
  }

  close(): Promise<void> {
    return this.#run(() => {
      this.#statements.clear();
      this.#database.close();
    });
  }

  *#links(): IterableIterator<AuditLink> {
    for (const row of this.#prepare('SELECT number, entry, hash FROM audit ORDER BY number').iterate()) {
      yield { number: wholeOf(row.number), entry: textOf(row.entry), hash: textOf(row.hash) };
    }
  }

  #head(): AuditHead {
    const row = this.#prepare('SELECT number, hash FROM audit_head').get();
    return row === undefined ? GENESIS : { number: wholeOf(row.number), hash: textOf(row.hash) };
  }

  #page(columns: string, table: 'revisions' | 'audit', { limit, before }: Page): Row[] {
    const rows = Math.min(Math.max(Math.trunc(limit), 1), MAX_PAGE);
    return this.#prepare(`SELECT ${columns} FROM ${table} WHERE number < ? ORDER BY number DESC LIMIT ?`).all(
      before ?? Number.MAX_SAFE_INTEGER,
      rows,
    );
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: () => T): T {
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
  async #run<T>(work: () => T): Promise<T> {
    return guard(() => {
      if (!this.#database.isOpen) throw new StoreError('closed', 'the store is closed');
      return work();
    });
  }
}

/** Primary result codes of SQLite that mean a damaged file. */
const CORRUPT_CODES: ReadonlySet<number> = new Set([11, 26]);
const SQLITE_ERROR = 1;

function guard<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof StoreError ? error : toStoreError(error);
  }
}

function toStoreError(cause: unknown): StoreError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const result = resultCode(cause);
  // A statement of ours that does not fit the tables means that these are not ours.
  const isCorrupt = result !== undefined && (CORRUPT_CODES.has(result) || result === SQLITE_ERROR);
  return new StoreError(isCorrupt ? 'corrupt' : 'unavailable', `the store failed: ${message}`, { cause });
}

/** The primary code is the low byte of the extended one. */
const resultCode = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : undefined;
