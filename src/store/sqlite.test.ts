import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
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

test('whoever changes the audit is found out', async () => {
  const hash = 'a'.repeat(64);
  const cases: [string, string, { number: number; fault: string }][] = [
    [
      'edit',
      `UPDATE audit SET entry = replace(entry, 's2', 's9') WHERE number = 2`,
      { number: 2, fault: 'edited' },
    ],
    ['white space', `UPDATE audit SET entry = entry || ' ' WHERE number = 4`, { number: 4, fault: 'edited' }],
    ['hash', `UPDATE audit SET hash = '${hash}' WHERE number = 3`, { number: 3, fault: 'edited' }],
    ['removal', 'DELETE FROM audit WHERE number = 2', { number: 2, fault: 'removed' }],
    ['removal of the first', 'DELETE FROM audit WHERE number = 1', { number: 1, fault: 'removed' }],
    [
      'removal and renumbering',
      'DELETE FROM audit WHERE number = 2; UPDATE audit SET number = number - 1 WHERE number > 2',
      { number: 2, fault: 'edited' },
    ],
    [
      'swap',
      'UPDATE audit SET number = 90 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3; UPDATE audit SET number = 3 WHERE number = 90',
      { number: 2, fault: 'edited' },
    ],
    ['truncation', 'DELETE FROM audit WHERE number > 3', { number: 4, fault: 'truncated' }],
    ['truncation of all', 'DELETE FROM audit', { number: 1, fault: 'truncated' }],
    ['insertion', `INSERT INTO audit VALUES (6, '{}', '${hash}')`, { number: 6, fault: 'edited' }],
    ['head', `UPDATE audit_head SET hash = '${hash}'`, { number: 5, fault: 'edited' }],
    ['no head', 'DELETE FROM audit_head', { number: 5, fault: 'edited' }],
  ];
  for (const [name, sql, expected] of cases) {
    const file = await auditedFile(5);
    tamper(file, sql);
    const store = openSqliteStore(file);
    assert.deepEqual(await store.verifyAudit(), { intact: false, ...expected }, name);
    await store.close();
  }
});

test('a whole chain that was cut and mended is found out by a head kept elsewhere', async () => {
  const file = await auditedFile(5);
  const store = openSqliteStore(file);
  const before = await store.verifyAudit();
  assert.ok(before.intact);
  const [, , third] = (await store.listAudit({ limit: 5 })).toReversed();
  tamper(
    file,
    `DELETE FROM audit WHERE number > 3; UPDATE audit_head SET number = 3, hash = '${third.hash}'`,
  );
  assert.equal((await store.verifyAudit()).intact, true);
  const expected = { intact: false, number: 4, fault: 'truncated' };
  assert.deepEqual(await store.verifyAudit(before.head), expected);
  await store.close();
});

test('what was put is there after opening again', async () => {
  const file = await auditedFile(3);
  const store = openSqliteStore(file);
  const verified = await store.verifyAudit();
  assert.ok(verified.intact);
  assert.equal(verified.head.number, 3);
  await store.close();
});

test('two programs append to one chain', async () => {
  const file = newFile();
  const stores = [openSqliteStore(file), openSqliteStore(file)];
  for (let n = 1; n <= 10; n++) await stores[n % 2].appendAudit(entry(n));
  const verified = await stores[0].verifyAudit();
  assert.ok(verified.intact);
  assert.equal(verified.head.number, 10);
  for (const store of stores) await store.close();
});

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

test('what cannot be read of consumers is a typed error', async () => {
  const file = newFile();
  const store = openSqliteStore(file);
  const cases: [string, () => Promise<unknown>][] = [
    [
      `INSERT INTO consumers VALUES ('a', NULL, 'no list', 1, 'admin', NULL)`,
      () => store.consumers.getConsumer('a'),
    ],
    [
      `INSERT INTO credentials VALUES (1, 'cr-1', 'a', 'magic', 'l', 's', NULL, NULL, 1, 'admin', NULL, NULL, NULL, NULL)`,
      () => store.consumers.activeCredentials(0, 1),
    ],
  ];
  for (const [sql, read] of cases) {
    tamper(file, sql);
    await assert.rejects(read, { name: 'StoreError', code: 'corrupt' }, sql);
  }
  await store.close();
});

test('what cannot be read of lists and bans is a typed error', async () => {
  const file = newFile();
  const store = openSqliteStore(file);
  const state = (text: string) => `INSERT OR REPLACE INTO list_states VALUES ('a', '${text}')`;
  const readState = () => store.lists.state('a');
  const cases: [string, () => Promise<unknown>][] = [
    [state('no object'), readState],
    [state('{"source":"s"}'), readState],
    [state('{"source":"s","pinned":false,"held":{"version":"v","at":1}}'), readState],
    [
      `INSERT INTO bans VALUES ('b', '192.0.2.1/32', 1, 9007199254740993, '', 'a')`,
      () => store.bans.active(1),
    ],
  ];
  for (const [sql, read] of cases) {
    tamper(file, sql);
    await assert.rejects(read, { name: 'StoreError' }, sql);
  }
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
