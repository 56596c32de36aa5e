import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RecordingStage } from '../../test/fixtures/recording/stage.ts';
import { pruneRecording, type Retention } from './retention.ts';

const EVERYTHING = Number.MAX_SAFE_INTEGER;

describe('retention', () => {
  /** Name, bytes, and when it was last written, in seconds. */
  const files: readonly (readonly [string, number, number])[] = [
    ['1.rec', 100, 10],
    ['2.rec', 200, 30],
    ['3.rec', 300, 20],
    ['notes.txt', 5000, 1],
  ];
  const cases: readonly (readonly [string, Retention, readonly string[], number])[] = [
    [
      'keeps what is neither old nor too much',
      { fromMs: 0, maxBytes: 600 },
      ['1.rec', '2.rec', '3.rec'],
      600,
    ],
    ['deletes what is old', { fromMs: 20_000, maxBytes: EVERYTHING }, ['2.rec', '3.rec'], 500],
    ['deletes all where all is old', { fromMs: 40_000, maxBytes: EVERYTHING }, [], 0],
    ['deletes the oldest where there is too much', { fromMs: 0, maxBytes: 500 }, ['2.rec', '3.rec'], 500],
    ['goes by when a file was written last', { fromMs: 0, maxBytes: 499 }, ['2.rec'], 200],
    ['deletes even the latest', { fromMs: 0, maxBytes: 0 }, [], 0],
  ];
  for (const [name, retention, left, bytes] of cases) {
    it(name, async () => {
      const dir = mkdtempSync(join(tmpdir(), 'sallyport-retention-'));
      for (const [file, size, second] of files) {
        writeFileSync(join(dir, file), Buffer.alloc(size));
        utimesSync(join(dir, file), second, second);
      }
      const pruned = await pruneRecording(dir, retention);
      assert.deepEqual(readdirSync(dir).sort(), [...left, 'notes.txt'].sort());
      assert.deepEqual(pruned, { deletedFiles: 3 - left.length, deletedBytes: 600 - bytes, bytes });
      rmSync(dir, { recursive: true });
    });
  }

  it('has nothing to do where there is no folder', async () => {
    assert.deepEqual(await pruneRecording('/nowhere/at/all', { fromMs: 0, maxBytes: 0 }), {
      deletedFiles: 0,
      deletedBytes: 0,
      bytes: 0,
    });
  });

  it('takes the file from a worker that goes on to write', async () => {
    const stage = new RecordingStage();
    stage.record({ requestId: 'before' });
    await stage.recorder.flush();
    await pruneRecording(stage.dir, { fromMs: EVERYTHING, maxBytes: 0 });
    stage.record({ requestId: 'after' });
    await stage.recorder.flush();
    assert.deepEqual(
      (await stage.read()).map(({ requestId }) => requestId),
      ['after'],
    );
    await stage.close();
  });
});
