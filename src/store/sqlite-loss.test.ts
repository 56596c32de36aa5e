import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import { eventually } from '../../test/fixtures/process.ts';
import { HealthSaid } from '../../test/fixtures/watched-store.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';

const root = mkdtempSync(join(tmpdir(), 'store-loss-'));

const entry = { at: 1, actor: 'admin', action: 'test', subject: 's', detail: {} };
const unavailable = { name: 'StoreError', code: 'unavailable' };

function watched(path: string) {
  const told = new HealthSaid();
  const health = told.health(path);
  return { told, health, store: openSqliteStore(path, health) };
}

const answers = async (store: Store): Promise<boolean> => {
  try {
    await store.appendAudit(entry);
    return true;
  } catch {
    return false;
  }
};

/** A disk of 1 MiB, where this process may have one. */
function smallDisk(): { readonly path: string; free(): void } | undefined {
  const path = join(root, 'small');
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return { path, free: () => execFileSync('umount', [path]) };
}
const disk = smallDisk();
after(() => {
  disk?.free();
  rmSync(root, { recursive: true });
});

describe('a database that is lost', () => {
  test('locked by another program: refused, and found again', async () => {
    const path = join(root, 'locked.db');
    const { store, health, told } = watched(path);
    await store.appendAudit(entry);
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await assert.rejects(store.appendAudit(entry), unavailable);
    assert.deepEqual([health.state, told.up], ['unavailable', 0]);
    const startMs = performance.now();
    for (let n = 0; n < 10; n++) await assert.rejects(store.appendAudit(entry), unavailable);
    assert.ok(performance.now() - startMs < 500, 'the thread is not held up by each');
    other.exec('ROLLBACK');
    other.close();
    await eventually(() => answers(store));
    assert.deepEqual(told.events, ['store-unavailable', 'store-recovered']);
    assert.deepEqual([health.state, told.up], ['ok', 1]);
    const verified = await store.verifyAudit();
    assert.ok(verified.intact);
    assert.equal(verified.head.number, 2);
    await store.close();
  });

  test('on a full disk: refused, nothing acknowledged is lost, and found again', {
    skip: disk === undefined && 'this process may not mount a small disk',
  }, async () => {
    assert.ok(disk);
    const path = join(disk.path, 'store.db');
    const { store, health, told } = watched(path);
    await store.appendAudit(entry);
    const ballast = join(disk.path, 'ballast');
    const { bavail, bsize } = statfsSync(disk.path);
    writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    let acknowledged = 1;
    for (let n = 0; n < 200 && (await answers(store)); n++) acknowledged++;
    assert.deepEqual([health.state, told.up], ['unavailable', 0]);
    assert.match(told.said, /full/);
    await assert.rejects(store.appendAudit(entry), unavailable);
    rmSync(ballast);
    await eventually(() => answers(store));
    assert.deepEqual(told.events, ['store-unavailable', 'store-recovered']);
    const verified = await store.verifyAudit();
    assert.ok(verified.intact);
    assert.equal(verified.head.number, acknowledged + 1);
    await store.close();
  });

  test('no database at the start: damaged, and taken up when it is mended', async () => {
    const path = join(root, 'garbage.db');
    writeFileSync(path, 'this is not a database'.repeat(1000));
    const { store, health, told } = watched(path);
    assert.deepEqual([health.state, told.up], ['damaged', 0]);
    await assert.rejects(store.appendAudit(entry), unavailable);
    const news: unknown[] = [];
    await store.watch((changes) => news.push(changes));
    const sound = openSqliteStore(join(root, 'sound.db'));
    await sound.close();
    rmSync(path);
    await eventually(() => answers(store));
    assert.deepEqual(news, ['unknown']);
    assert.deepEqual(told.events, ['store-unavailable', 'store-recovered']);
    assert.equal(health.state, 'ok');
    await store.close();
  });

  test('damaged while it is in use: said once, and what is sound is served', async () => {
    const path = join(root, 'damaged.db');
    const { store, health, told } = watched(path);
    await store.appendAudit(entry);
    const other = new DatabaseSync(path);
    other.exec('DROP TABLE activations');
    other.close();
    for (const _ of [1, 2, 3]) await assert.rejects(store.active(), { code: 'corrupt' });
    await store.appendAudit(entry);
    assert.deepEqual([health.state, told.up, told.events], ['damaged', 0, ['store-damaged']]);
    await store.close();
  });

  test('what is wrong with one entry says nothing of the store', async () => {
    const path = join(root, 'entry.db');
    const { store, health, told } = watched(path);
    const other = new DatabaseSync(path);
    other.exec(`INSERT INTO list_states VALUES ('a', 'no object')`);
    other.close();
    await assert.rejects(store.lists.state('a'), { code: 'corrupt' });
    await assert.rejects(store.setActive('f'.repeat(64), 1), { code: 'not-found' });
    assert.deepEqual([health.state, told.up, told.events], ['ok', 1, []]);
    await store.close();
  });

  test('written by a newer program, it ends the start', async () => {
    const path = join(root, 'newer.db');
    await openSqliteStore(path).close();
    const other = new DatabaseSync(path);
    other.exec('PRAGMA user_version = 99');
    other.close();
    assert.throws(() => watched(path), { name: 'StoreError', code: 'schema-too-new' });
  });
});
