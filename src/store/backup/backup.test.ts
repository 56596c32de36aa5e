import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import { type ArchiveHome, storeArchiveContract } from '../../../test/contract/store-archive.contract.ts';
import { PostgresServer } from '../../../test/fixtures/postgres-server.ts';
import { openPostgresStore, parsePostgresAddress } from '../postgres/index.ts';
import { openSqliteStore } from '../sqlite.ts';
import { backUpStore, restoreStore } from './index.ts';
import { BACKUP_TABLES } from './tables.ts';

const server = await PostgresServer.start();
const root = mkdtempSync(join(tmpdir(), 'store-'));
after(async () => {
  await server.stop();
  rmSync(root, { recursive: true });
});

let files = 0;
async function onDisk(): Promise<ArchiveHome> {
  const path = join(root, `${files++}.db`);
  return {
    place: { path, postgres: undefined },
    open: async () => openSqliteStore(path),
    tamper: async (sql) => {
      const database = new DatabaseSync(path);
      database.exec(sql);
      database.close();
    },
  };
}

async function inPostgres(): Promise<ArchiveHome> {
  const schema = server.newSchema();
  const { password: _, ...address } = parsePostgresAddress(server.url(schema));
  const postgres = { ...address, ca: undefined, readPassword: () => server.password };
  return {
    place: { path: '/nowhere', postgres },
    open: () => openPostgresStore({ ...postgres, timeoutMs: 20_000 }),
    tamper: async (sql) => void (await server.inStore(`SET search_path = ${schema}; ${sql}`)),
  };
}

storeArchiveContract('sqlite to sqlite', onDisk, onDisk);
storeArchiveContract('postgres to postgres', inPostgres, inPostgres);
storeArchiveContract('sqlite to postgres', onDisk, inPostgres);
storeArchiveContract('postgres to sqlite', inPostgres, onDisk);

const kept = BACKUP_TABLES.map(({ name, columns }) => [name, columns.map((column) => column.name)] as const);
const sorted = (tables: readonly (readonly [string, readonly string[]])[]) =>
  Object.fromEntries(tables.map(([name, columns]) => [name, columns.toSorted()]));

describe('a backup leaves nothing out', () => {
  test('of the embedded store', async () => {
    const home = await onDisk();
    await (await home.open()).close();
    const database = new DatabaseSync(home.place.path);
    const names = database
      .prepare(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
      .all()
      .map(({ name }) => String(name));
    const tables = names.map((name) => {
      const columns = database.prepare('SELECT name FROM pragma_table_info(?)').all(name);
      return [name, columns.map((column) => String(column.name))] as const;
    });
    database.close();
    assert.deepEqual(sorted(tables), sorted(kept));
  });

  test('of the store in Postgres, but for what is good for its nodes alone', async () => {
    const home = await inPostgres();
    await (await home.open()).close();
    const rows = await server.inStore(
      `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '${home.place.postgres?.schema}'`,
    );
    const columns = Map.groupBy(rows, ({ table_name }) => String(table_name));
    for (const own of ['schema_version', 'change_head', 'changes', 'nodes', 'leases']) columns.delete(own);
    const tables = [...columns].map(
      ([name, all]) => [name, all.map((row) => String(row.column_name))] as const,
    );
    assert.deepEqual(sorted(tables), sorted(kept));
  });
});

describe('a backup', () => {
  test('of a store that is not there is refused, and makes none', async () => {
    const home = await onDisk();
    const attempt = backUpStore(home.place, join(root, 'none.backup'), 1);
    await assert.rejects(attempt, { name: 'StoreError', code: 'not-found' });
    assert.ok(!existsSync(home.place.path));
  });

  test('of a store of another version is refused, and leaves it as it is', async () => {
    for (const [version, code] of [
      [1, 'unavailable'],
      [99, 'schema-too-new'],
    ] as const) {
      const home = await onDisk();
      await (await home.open()).close();
      await home.tamper(`PRAGMA user_version = ${version}`);
      const before = readFileSync(home.place.path);
      await assert.rejects(backUpStore(home.place, join(root, `v${version}.backup`), 1), { code });
      assert.deepEqual(readFileSync(home.place.path), before);
      const other = await inPostgres();
      await (await other.open()).close();
      await other.tamper(`UPDATE schema_version SET version = ${version === 1 ? 0 : version}`);
      await assert.rejects(backUpStore(other.place, join(root, `p${version}.backup`), 1), { code });
    }
  });

  test('of a newer program is refused as such', async () => {
    const home = await onDisk();
    await (await home.open()).close();
    const file = join(root, 'newer.backup');
    await backUpStore(home.place, file, 1);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"version":1', '"version":2'));
    const attempt = restoreStore((await onDisk()).place, file, { replace: false, nowMs: 1, actor: 'cli' });
    await assert.rejects(attempt, { code: 'schema-too-new' });
  });

  test('of an older program, without a column that came since, has what it meant then', async () => {
    const home = await onDisk();
    const store = await home.open();
    const texts = { document: '', files: {}, createdAt: 1, author: 'a', reason: '' };
    await store.putRevision({ id: 'a'.repeat(64), ...texts });
    await store.setActive('a'.repeat(64), 5, 'rollback');
    await store.close();
    const file = join(root, 'older.backup');
    await backUpStore(home.place, file, 1);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(0, -1);
    const text = `${lines.join('\n').replace(',"how"]', ']').replace(',"rollback"]', ']')}\n`;
    const end = { rows: 2, sha256: createHash('sha256').update(text).digest('hex') };
    writeFileSync(file, `${text}${JSON.stringify({ end })}\n`);
    const target = await onDisk();
    await restoreStore(target.place, file, { replace: false, nowMs: 1, actor: 'cli' });
    const restored = await target.open();
    const [{ at, how }] = await restored.listActivations({ limit: 1 });
    assert.deepEqual([at, how], [5, 'publish']);
    await restored.close();
  });

  test('takes the place of a database that is none any more, which is moved aside', async () => {
    const home = await onDisk();
    await (await home.open()).close();
    const file = join(root, 'sound.backup');
    await backUpStore(home.place, file, 1);
    const damaged = await onDisk();
    const garbage = 'no database'.repeat(1000);
    writeFileSync(damaged.place.path, garbage);
    const options = { nowMs: 7, actor: 'cli' };
    await assert.rejects(restoreStore(damaged.place, file, { replace: false, ...options }), {
      code: 'corrupt',
    });
    assert.equal(readFileSync(damaged.place.path, 'utf8'), garbage);
    await restoreStore(damaged.place, file, { replace: true, ...options });
    assert.equal(readFileSync(`${damaged.place.path}.damaged-7`, 'utf8'), garbage);
    const store = await damaged.open();
    assert.equal((await store.listAudit({ limit: 9 })).length, 1);
    await store.close();
  });

  test('is not restored into a store in Postgres that a gateway uses', async () => {
    const home = await inPostgres();
    const file = join(root, 'used.backup');
    const store = await home.open();
    await backUpStore(home.place, file, 1);
    const end = await store.watch(() => {});
    const options = { replace: true, nowMs: 7, actor: 'cli' };
    const refused = async (): Promise<boolean> => {
      try {
        await restoreStore(home.place, file, options);
        return false;
      } catch (error) {
        assert.match(String(error), /gateways use the store/);
        return true;
      }
    };
    // The gateway says so with its first look.
    while (!(await refused()));
    assert.equal(await refused(), true);
    end();
    await store.close();
    while (await refused());
  });
});
