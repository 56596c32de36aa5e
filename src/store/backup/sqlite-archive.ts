import { existsSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from 'node:sqlite';
import { SCHEMA_VERSION } from '../migrations.ts';
import { guard } from '../sqlite-connection.ts';
import { openDatabase } from '../sqlite-database.ts';
import { StoreError } from '../store.ts';
import { assertVersion, type Cell, type StoreArchive, type TakeRows } from './archive.ts';
import { BACKUP_TABLES, type BackupTable } from './tables.ts';

const ROWS_AT_ONCE = 500;

/** The embedded store at a path, to be read. Its schema is not touched: a gateway of another version may use it. */
export function openSqliteBackup(path: string): StoreArchive {
  return guard(() => {
    if (!existsSync(path)) throw new StoreError('not-found', `there is no store at ${path}`);
    const database = new DatabaseSync(path, { timeout: 5000, enableDoubleQuotedStringLiterals: false });
    try {
      database.exec('PRAGMA query_only = ON; PRAGMA trusted_schema = OFF');
      assertVersion(Number(database.prepare('PRAGMA user_version').get()?.user_version), SCHEMA_VERSION);
      return new SqliteArchive(database);
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** The embedded store at a path, made where there is none, to be written. The caller holds the lock of its folder. */
export const openSqliteRestore = (path: string): StoreArchive =>
  guard(() => new SqliteArchive(openDatabase(path)));

class SqliteArchive implements StoreArchive {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  async read(take: TakeRows): Promise<void> {
    await this.#within('BEGIN', async () => {
      for (const table of BACKUP_TABLES) {
        let rows: (readonly Cell[])[] = [];
        for (const row of this.#rows(table)) {
          rows.push(row);
          if (rows.length < ROWS_AT_ONCE) continue;
          await take(table, rows);
          rows = [];
        }
        if (rows.length > 0) await take(table, rows);
      }
    });
  }

  async write(
    fill: (put: TakeRows) => Promise<void>,
    { replace }: { readonly replace: boolean },
  ): Promise<void> {
    await this.#within('BEGIN IMMEDIATE', async () => {
      if (!replace && guard(() => this.#holdsAnything()))
        throw new StoreError('conflict', 'the store is not empty');
      guard(() => {
        for (const { name } of BACKUP_TABLES.toReversed()) this.#database.exec(`DELETE FROM "${name}"`);
      });
      await fill(async (table, rows) => guard(() => this.#put(table, rows)));
    });
  }

  async close(): Promise<void> {
    guard(() => this.#database.close());
  }

  async #within(begin: string, work: () => Promise<void>): Promise<void> {
    guard(() => this.#database.exec(begin));
    try {
      await work();
      guard(() => this.#database.exec('COMMIT'));
    } catch (error) {
      guard(() => {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      });
      throw error;
    }
  }

  *#rows(table: BackupTable): IterableIterator<readonly Cell[]> {
    const columns = table.columns.map(({ name }) => `"${name}"`).join(', ');
    const order = table.key.map((name) => `"${name}"`).join(', ');
    const statement = this.#database.prepare(`SELECT ${columns} FROM "${table.name}" ORDER BY ${order}`);
    const rows = guard(() => statement.iterate());
    for (;;) {
      const { value, done } = guard(() => rows.next());
      if (done) return;
      yield table.columns.map(({ name }) => cellOf(value[name]));
    }
  }

  #holdsAnything(): boolean {
    return BACKUP_TABLES.some(
      ({ name }) => this.#database.prepare(`SELECT 1 FROM "${name}" LIMIT 1`).get() !== undefined,
    );
  }

  #put(table: BackupTable, rows: readonly (readonly Cell[])[]): void {
    const columns = table.columns.map(({ name }) => `"${name}"`).join(', ');
    const places = table.columns.map(() => '?').join(', ');
    const statement = this.#database.prepare(`INSERT INTO "${table.name}" (${columns}) VALUES (${places})`);
    for (const row of rows) statement.run(...row.map((cell): SQLInputValue => cell));
  }
}

function cellOf(value: SQLOutputValue): Cell {
  if (typeof value === 'bigint') throw new StoreError('corrupt', 'the store holds an unreadable number');
  return value;
}
