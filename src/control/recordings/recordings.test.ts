import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Count, KEY, keysOf, RecordingStage } from '../../../test/fixtures/recording/stage.ts';
import type { RecordingPlace } from '../../recording/index.ts';
import { openSqliteStore, type Store, StoreError } from '../../store/index.ts';
import { recordingIn, startRecordings } from './open.ts';
import { RecordingDesk } from './recording-desk.ts';

class Level extends Count {
  set(value: number): void {
    this.total = value;
  }
}

/** A desk over a recording of two files, of which the older was written an hour before now. */
async function world(more: { keepMs?: number; maxBytes?: number; store?: Store | undefined } = {}) {
  const stage = new RecordingStage();
  stage.record({ requestId: 'old' });
  await stage.recorder.close();
  const [old] = readdirSync(stage.dir);
  const hourAgo = (Date.now() - 3_600_000) / 1000;
  utimesSync(join(stage.dir, old), hourAgo, hourAgo);
  const later = new RecordingStage({}, { place: { dir: stage.dir, key: KEY } });
  later.nowMs += 3_600_000;
  later.record({ requestId: 'new' });
  const logged: string[] = [];
  const note = (event: string): void => void logged.push(event);
  const size = new Level();
  const store = 'store' in more ? more.store : openSqliteStore(':memory:');
  const desk = new RecordingDesk({
    dir: stage.dir,
    clock: { now: Date.now, monotonic: () => 0 },
    log: { info: note, warn: note, error: note },
    store: () => store,
    keys: keysOf(KEY),
    retention: () => ({ keepMs: 86_400_000, maxBytes: 1_000_000, ...more }),
    flush: () => later.recorder.flush(),
    size,
  });
  const end = async (): Promise<void> => {
    await later.close();
    rmSync(stage.dir, { recursive: true, force: true });
  };
  const left = (): number => readdirSync(stage.dir).length;
  return { desk, dir: stage.dir, logged, size, store, left, end };
}

describe('who looks after a recording', () => {
  it('keeps what is to be kept, and tells its size', async () => {
    const { desk, size, left, end } = await world();
    await desk.summary();
    await desk.tick();
    assert.equal(left(), 2);
    assert.ok(size.total > 200);
    await end();
  });

  it('deletes what is older than it is to be', async () => {
    const { desk, left, end } = await world({ keepMs: 1_800_000 });
    await desk.summary();
    await desk.tick();
    assert.equal(left(), 1);
    assert.equal(await desk.find('old'), undefined);
    assert.equal((await desk.find('new'))?.requestId, 'new');
    await end();
  });

  it('deletes the oldest where there is too much', async () => {
    const { desk, size, left, end } = await world({ maxBytes: 500 });
    await desk.summary();
    await desk.tick();
    assert.deepEqual([left(), size.total < 500], [1, true]);
    await end();
  });

  it('tells once that it cannot', async () => {
    const { desk, dir, logged, end } = await world({ keepMs: 0 });
    rmSync(dir, { recursive: true });
    writeFileSync(dir, 'no folder');
    await desk.tick();
    await desk.tick();
    assert.deepEqual(logged, ['recording-not-pruned']);
    rmSync(dir);
    await end();
  });

  it('counts what workers have in hand, and finds it', async () => {
    const { desk, end } = await world();
    assert.deepEqual((await desk.summary()).requests, 2);
    assert.equal((await desk.find('new'))?.requestId, 'new');
    await end();
  });

  it('clears what was written before a time, and says so in the audit', async () => {
    const { desk, left, store, end } = await world();
    await desk.summary();
    const { deletedFiles } = await desk.clear(Date.now() - 60_000, 'on request', 'admin');
    assert.deepEqual([deletedFiles, left()], [1, 1]);
    const [{ action, actor, detail }] = (await store?.listAudit({ limit: 1 })) ?? [];
    assert.deepEqual([action, actor, detail.reason], ['recording.clear', 'admin', 'on request']);
    await end();
  });

  it('clears everything', async () => {
    const { desk, left, end } = await world();
    assert.equal((await desk.clear(undefined, '', 'admin')).deletedFiles, 2);
    assert.equal(left(), 0);
    await end();
  });

  it('clears nothing where nobody could know', async () => {
    const { desk, left, end } = await world({ store: undefined });
    await assert.rejects(desk.clear(undefined, '', 'admin'), (error) => {
      return error instanceof StoreError && error.code === 'unavailable';
    });
    assert.equal(left(), 1);
    await end();
  });
});

describe('a recording that is started', () => {
  const start = async (dataDir: string, json = '{}') => {
    const places: RecordingPlace[] = [];
    const logged: string[] = [];
    const note = (event: string): void => void logged.push(event);
    const masterKeys = {
      references: [],
      dataDir,
      environment: {},
      randomBytes: (size: number) => new Uint8Array(size).fill(3),
    };
    const desk = await startRecordings({
      clock: { now: Date.now, monotonic: () => 0 },
      log: { info: note, warn: note, error: note },
      store: () => undefined,
      masterKeys,
      activation: { active: { json, revision: 'a' } },
      workers: { recordTo: async (place) => void places.push(place), flushRecording: async () => {} },
      size: new Level(),
    });
    desk.stop();
    return { desk, places, logged, masterKeys };
  };

  it('is written with a key of its own, by which it is read again', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-data-'));
    const { places, logged, masterKeys } = await start(dataDir);
    assert.deepEqual([places.length, logged], [1, []]);
    const [place] = places;
    assert.equal(place.dir, join(dataDir, 'recordings'));
    assert.notDeepEqual(Buffer.from(place.key.key), Buffer.alloc(32, 3), 'not the master key itself');
    const stage = new RecordingStage({}, { place });
    stage.record({ requestId: 'x' });
    await stage.recorder.close();
    const { requests, faults } = await recordingIn(masterKeys).summary();
    assert.deepEqual([requests, faults], [1, { torn: 0, tampered: 0, foreign: 0 }]);
    rmSync(dataDir, { recursive: true });
    rmSync(stage.dir, { recursive: true });
  });

  it('is none without a master key, which is told', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-data-'));
    writeFileSync(join(dataDir, 'master-key'), 'no key', { mode: 0o600 });
    chmodSync(join(dataDir, 'master-key'), 0o600);
    const { places, logged } = await start(dataDir);
    assert.deepEqual([places, logged], [[], ['recording-unavailable']]);
    assert.equal(existsSync(join(dataDir, 'recordings')), false);
    rmSync(dataDir, { recursive: true });
  });

  it('goes by what the document in service says of its size', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-data-'));
    const { desk, places } = await start(dataDir, '{"recording":{"keep":"1m"}}');
    const stage = new RecordingStage({}, { place: places[0] });
    stage.record();
    await stage.recorder.close();
    const [file] = readdirSync(places[0].dir);
    const twoMinutesAgo = Date.now() / 1000 - 120;
    utimesSync(join(places[0].dir, file), twoMinutesAgo, twoMinutesAgo);
    await desk.tick();
    assert.deepEqual(readdirSync(places[0].dir), []);
    rmSync(dataDir, { recursive: true });
    rmSync(stage.dir, { recursive: true });
  });
});
