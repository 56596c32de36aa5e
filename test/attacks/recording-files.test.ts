import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openRecording, pruneRecording } from '../../src/recording/index.ts';
import { all, KEY, keysOf, RecordingStage } from '../fixtures/recording/stage.ts';

/** Whoever can write into the data folder neither hangs nor exhausts whoever reads the recording, nor leads it elsewhere. */

const BOUND_MS = 5000;

/** What is left of a sound recording of one request beside a file that somebody has put there. */
async function readBeside(
  plant: (path: string) => void,
): Promise<{ readonly records: number; readonly tookMs: number }> {
  const stage = new RecordingStage();
  try {
    const { recorder, dir } = stage;
    assert.ok(stage.record());
    await recorder.flush();
    plant(join(dir, '00000000000001-evil.rec'));
    const startedMs = performance.now();
    const recording = openRecording(dir, keysOf(KEY));
    const records = await all(recording.read());
    await recording.summary();
    return { records: records.length, tookMs: performance.now() - startedMs };
  } finally {
    await stage.close();
  }
}

const PLANTS: readonly (readonly [string, (path: string) => void])[] = [
  ['a pipe that nobody writes to', (path) => void execFileSync('mkfifo', [path])],
  ['a link to a device without end', (path) => symlinkSync('/dev/zero', path)],
  ['a link to itself', (path) => symlinkSync(path, path)],
  ['a folder', (path) => void execFileSync('mkdir', [path])],
  [
    'a file with a hole of 8 GB',
    (path) => {
      writeFileSync(path, 'x');
      truncateSync(path, 8e9);
    },
  ],
  ['nothing but beginnings', (path) => writeFileSync(path, 'SPRC'.repeat(2_000_000))],
];

describe('in the folder of a recording lies', () => {
  for (const [name, plant] of PLANTS) {
    it(name, { timeout: 30_000 }, async () => {
      const { records, tookMs } = await readBeside(plant);
      assert.equal(records, 1);
      assert.ok(tookMs < BOUND_MS, `${tookMs} ms`);
    });
  }

  it('a link, whose target is neither counted nor deleted', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sallyport-attack-'));
    try {
      const target = join(dir, 'precious');
      writeFileSync(target, 'x'.repeat(100_000));
      symlinkSync(target, join(dir, 'a.rec'));
      const { bytes } = await pruneRecording(dir, { fromMs: 0, maxBytes: 1_000_000 });
      assert.ok(bytes < 1000, `${bytes}`);
      await pruneRecording(dir, { fromMs: Number.POSITIVE_INFINITY, maxBytes: 0 });
      execFileSync('test', ['-s', target]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
