import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { keptStoreContract } from '../../test/contract/kept-store.contract.ts';
import { storeContract } from '../../test/contract/store.contract.ts';
import { ConfigError } from '../errors.ts';
import { ensureDataDirectory } from './data-directory.ts';
import { openSqliteStore } from './sqlite.ts';

const root = mkdtempSync(join(tmpdir(), 'store-'));
after(() => rmSync(root, { recursive: true }));

let files = 0;
const newFile = (): string => join(root, `${files++}.db`);

storeContract('sqlite file', async () => {
  const file = newFile();
  return { store: openSqliteStore(file), remove: () => rmSync(file) };
});

keptStoreContract('sqlite file', async () => {
  const file = newFile();
  return {
    open: async () => openSqliteStore(file),
    tamper: async (sql) => tamper(file, sql),
    makeNewer: async () => tamper(file, 'PRAGMA user_version = 99'),
    remove: () => rmSync(file),
  };
});

storeContract('sqlite memory', async () => ({ store: openSqliteStore(':memory:'), remove: () => undefined }));

const entry = (n: number) => ({ at: n, actor: 'admin', action: 'test', subject: `s${n}`, detail: {} });

async function auditedFile(count: number): Promise<string> {
  const file = newFile();
  const store = openSqliteStore(file);
  for (let n = 1; n <= count; n++) await store.appendAudit(entry(n));
  await store.close();
  return file;
}

function tamper(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

test('a store of a newer program is refused and left as it is', async () => {
  const file = await auditedFile(1);
  tamper(file, 'PRAGMA user_version = 99');
  const before = readFileSync(file);
  assert.throws(() => openSqliteStore(file), { name: 'StoreError', code: 'schema-too-new' });
  assert.deepEqual(readFileSync(file), before);
});

test('a store of an older program is brought up to date, and keeps what it held', async () => {
  const file = await auditedFile(2);
  const added = [
    'consumers',
    'credentials',
    'credential_use',
    'revocations',
    'list_versions',
    'list_states',
    'bans',
    'quota_usage',
    'imposed_bans',
    'rollouts',
  ];
  const dropped = added.map((table) => `DROP TABLE ${table};`).join(' ');
  tamper(file, `${dropped} ALTER TABLE activations DROP COLUMN how; PRAGMA user_version = 1`);
  const store = openSqliteStore(file);
  assert.deepEqual(await store.consumers.listConsumers({ limit: 1, after: '' }), []);
  const verified = await store.verifyAudit();
  assert.ok(verified.intact);
  assert.equal(verified.head.number, 2);
  await store.close();
});

test('a damaged database is a typed error, never another', async () => {
  const garbage = newFile();
  writeFileSync(garbage, 'this is not a database'.repeat(1000));
  assert.throws(() => openSqliteStore(garbage), { name: 'StoreError', code: 'corrupt' });

  const torn = await auditedFile(500);
  const bytes = readFileSync(torn);
  bytes.fill(0xa5, 4096);
  writeFileSync(torn, bytes);
  const readTorn = async (): Promise<unknown> => openSqliteStore(torn).listAudit({ limit: 1000 });
  await assert.rejects(readTorn, { name: 'StoreError', code: 'corrupt' });

  const foreign = newFile();
  tamper(foreign, 'CREATE TABLE audit (other TEXT)');
  assert.throws(() => openSqliteStore(foreign), { name: 'StoreError', code: 'corrupt' });

  const unreadable = await auditedFile(1);
  tamper(unreadable, `UPDATE audit SET entry = 'not json'`);
  await assert.rejects(openSqliteStore(unreadable).listAudit({ limit: 1 }), { code: 'corrupt' });
});

test('a place that cannot be opened is a typed error', () => {
  for (const path of [root, join(root, 'no', 'such.db')]) {
    assert.throws(() => openSqliteStore(path), { name: 'StoreError', code: 'unavailable' });
  }
});

test('only the owner reads the store, its log included', async () => {
  const file = newFile();
  writeFileSync(file, '', { mode: 0o644 });
  const store = openSqliteStore(file);
  await store.appendAudit(entry(1));
  for (const path of [file, `${file}-wal`, `${file}-shm`])
    assert.equal(statSync(path).mode & 0o777, 0o600, path);
  await store.close();
});

test('the data directory is made for its owner, and refused where others may write', () => {
  const path = join(root, 'data', 'deep');
  ensureDataDirectory(path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  ensureDataDirectory(path);
  for (const mode of [0o770, 0o707, 0o777]) {
    chmodSync(path, mode);
    assert.throws(() => ensureDataDirectory(path), ConfigError, mode.toString(8));
  }
  chmodSync(path, 0o755);
  ensureDataDirectory(path);
  const file = join(root, 'plain');
  writeFileSync(file, '');
  assert.throws(() => ensureDataDirectory(join(file, 'below')), ConfigError);
  mkdirSync(join(root, 'made'), { mode: 0o700 });
});
