import { DatabaseSync } from 'node:sqlite';
import { ensurePrivateFile } from './data-directory.ts';
import { migrate } from './migrations.ts';

const BUSY_TIMEOUT_MS = 2000;
const MEMORY = ':memory:';

/** Opens a database, made where there is none, and brings its tables up to date. Throws what SQLite does, or StoreError. */
export function openDatabase(path: string): DatabaseSync {
  if (path !== MEMORY) ensurePrivateFile(path);
  const database = new DatabaseSync(path, {
    timeout: BUSY_TIMEOUT_MS,
    enableForeignKeyConstraints: true,
    enableDoubleQuotedStringLiterals: false,
  });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF');
    migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
