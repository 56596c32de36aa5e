import { assertVersion, type Cell, type StoreArchive, type TakeRows } from '../backup/archive.ts';
import { BACKUP_TABLES, type BackupTable, type CellType } from '../backup/tables.ts';
import { StoreError } from '../store.ts';
import { migratePostgres, POSTGRES_SCHEMA_VERSION, postgresVersion } from './migrations.ts';
import { IN_USE, PostgresPool, type Session } from './pool.ts';
import type { PostgresSettings } from './settings.ts';

/** For one of the many questions of a copy. */
const PATIENCE_MS = 60_000;
const ROWS_AT_ONCE = 500;
/** Contents of lists may be megabytes each. */
const CONTENTS_AT_ONCE = 4;

const TYPES: Readonly<Record<CellType, string>> = { text: 'text', number: 'bigint', bytes: 'bytea' };

/** The store in Postgres, to be read. Its schema is not touched. Rejects with StoreError. */
export async function openPostgresBackup(settings: PostgresSettings): Promise<StoreArchive> {
  const pool = await PostgresPool.to({ ...settings, timeoutMs: PATIENCE_MS });
  return await orClosed(pool, async () => {
    assertVersion(await pool.run(postgresVersion), POSTGRES_SCHEMA_VERSION);
    return new PostgresArchive(pool, settings.schema);
  });
}

/** The store in Postgres, made where there is none, to be written. Rejects with StoreError. */
export async function openPostgresRestore(settings: PostgresSettings): Promise<StoreArchive> {
  const pool = await PostgresPool.to({ ...settings, timeoutMs: PATIENCE_MS });
  return await orClosed(pool, async () => {
    await migratePostgres(pool, settings.schema);
    return new PostgresArchive(pool, settings.schema);
  });
}

async function orClosed<T>(pool: PostgresPool, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await pool.close();
    throw error;
  }
}

class PostgresArchive implements StoreArchive {
  readonly #pool: PostgresPool;
  readonly #schema: string;

  constructor(pool: PostgresPool, schema: string) {
    this.#pool = pool;
    this.#schema = schema;
  }

  read(take: TakeRows): Promise<void> {
    const begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
    return this.#pool.transaction(
      async (session) => {
        for (const table of BACKUP_TABLES) await readTable(session, table, take);
      },
      { begin, patience: 'each' },
    );
  }

  write(fill: (put: TakeRows) => Promise<void>, { replace }: { readonly replace: boolean }): Promise<void> {
    return this.#pool.transaction(
      async (session) => {
        await this.#takeOver(session);
        if (!replace && (await holdsAnything(session)))
          throw new StoreError('conflict', 'the store is not empty');
        const all = BACKUP_TABLES.map(({ name }) => name).join(', ');
        await session.write(`TRUNCATE ${all} RESTART IDENTITY`);
        await fill((table, rows) => putRows(session, table, rows));
        for (const { name } of BACKUP_TABLES.filter(({ counts }) => counts)) {
          await session.write(
            `SELECT setval(pg_get_serial_sequence('${name}', 'number'), max(number)) FROM ${name} HAVING max(number) > 0`,
          );
        }
        // A chain without entries has a head all the same here: it is what nodes take turns at.
        await session.write(
          `INSERT INTO audit_head SELECT 1, 0, repeat('0', 64) WHERE NOT EXISTS (SELECT 1 FROM audit_head)`,
        );
        // Whoever has followed changes reads everything anew.
        await session.write('UPDATE change_head SET number = number + 1');
        await session.write('DELETE FROM changes');
      },
      { patience: 'each' },
    );
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #takeOver(session: Session): Promise<void> {
    const sql = 'SELECT pg_try_advisory_xact_lock($1, hashtext($2)) AS free';
    const [row] = await session.rows(sql, [IN_USE, this.#schema]);
    if (row?.free !== 't') throw new StoreError('conflict', 'gateways use the store: end them first');
  }
}

async function readTable(session: Session, table: BackupTable, take: TakeRows): Promise<void> {
  const columns = table.columns.map(({ name }) => `"${name}"`).join(', ');
  const order = table.key.map((name) => `"${name}"`).join(', ');
  const atOnce = table.columns.some(({ type }) => type === 'bytes') ? CONTENTS_AT_ONCE : ROWS_AT_ONCE;
  // The head of a chain without entries is none: the other store has none then.
  const where = table.name === 'audit_head' ? 'WHERE number > 0' : '';
  await session.write(
    `DECLARE backup NO SCROLL CURSOR FOR SELECT ${columns} FROM ${table.name} ${where} ORDER BY ${order}`,
  );
  for (;;) {
    const rows = await session.cells(`FETCH ${atOnce} FROM backup`);
    if (rows.length > 0)
      await take(
        table,
        rows.map((row) => row.map(cellOf)),
      );
    if (rows.length < atOnce) break;
  }
  await session.write('CLOSE backup');
}

function cellOf(value: unknown): Cell {
  if (value === null || typeof value === 'string' || value instanceof Uint8Array) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new StoreError('corrupt', 'the store holds an unreadable number');
}

async function holdsAnything(session: Session): Promise<boolean> {
  for (const { name } of BACKUP_TABLES) {
    const where = name === 'audit_head' ? 'WHERE number > 0' : '';
    if ((await session.rows(`SELECT 1 FROM ${name} ${where} LIMIT 1`)).length > 0) return true;
  }
  return false;
}

async function putRows(
  session: Session,
  table: BackupTable,
  rows: readonly (readonly Cell[])[],
): Promise<void> {
  const columns = table.columns.map(({ name }) => `"${name}"`).join(', ');
  const lists = table.columns.map(({ type }, i) => `$${i + 1}::${TYPES[type]}[]`).join(', ');
  await session.write(
    `INSERT INTO ${table.name} (${columns}) SELECT * FROM unnest(${lists})`,
    table.columns.map((_, i) => rows.map((row) => row[i])),
  );
}
