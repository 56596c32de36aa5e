import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { all, KEY, keysOf, RecordingStage, START_MS } from '../../test/fixtures/recording/stage.ts';
import { HEAD_BYTES } from './frame.ts';
import { openRecording } from './open-recording.ts';

const SECRET = 'a-text-that-only-this-record-has';

async function withStage(
  work: (stage: RecordingStage) => Promise<void>,
  ...given: ConstructorParameters<typeof RecordingStage>
): Promise<void> {
  const stage = new RecordingStage(...given);
  try {
    await work(stage);
  } finally {
    await stage.close();
  }
}

/** Writes frames of ten requests each into one file; its path. */
async function threeFrames(stage: RecordingStage): Promise<string> {
  for (let frame = 0; frame < 3; frame++) {
    for (let i = 0; i < 10; i++) {
      stage.nowMs += 10;
      stage.record({ requestId: `f${frame}-${i}`, target: `/${SECRET}` });
    }
    await stage.recorder.flush();
  }
  return join(stage.dir, readdirSync(stage.dir)[0]);
}

const offsets = (file: Buffer): number[] => {
  const found: number[] = [];
  for (let at = 0; at < file.length; at += HEAD_BYTES + file.readUInt32BE(at + 76)) found.push(at);
  return found;
};

describe('a recording', () => {
  it('gives back what was written, from all its files in the order of time', () =>
    withStage(async (stage) => {
      await threeFrames(stage);
      const other = new RecordingStage({}, { place: { dir: stage.dir, key: KEY } });
      for (let i = 0; i < 300; i++) {
        other.nowMs += 1;
        other.record({ requestId: `other-${i}` });
      }
      await other.recorder.close();
      const records = await stage.read();
      assert.equal(records.length, 330);
      const times = records.map(({ atMs }) => atMs);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
      assert.equal(readdirSync(stage.dir).length, 2);
      rmSync(other.dir, { recursive: true });
    }));

  it('gives those of a range only', () =>
    withStage(async (stage) => {
      await threeFrames(stage);
      const records = await stage.read({ fromMs: START_MS + 50, toMs: START_MS + 150 });
      assert.deepEqual([records[0].requestId, records.at(-1)?.requestId], ['f0-4', 'f1-3']);
    }));

  it('keeps a long request out of the frames of short ones', () =>
    withStage(async (stage) => {
      stage.record({ requestId: 'begun-long-ago', atMs: START_MS - 3_600_000 });
      stage.record({ requestId: 'now' });
      await stage.recorder.flush();
      const { completeIntervals } = await openRecording(stage.dir, keysOf(KEY)).summary();
      assert.equal(completeIntervals, 2);
      assert.deepEqual(
        (await stage.read()).map(({ requestId }) => requestId),
        ['begun-long-ago', 'now'],
      );
    }));

  it('finds a request by its id, the latest of several', () =>
    withStage(async (stage) => {
      await threeFrames(stage);
      stage.nowMs += 10;
      stage.record({ requestId: 'f0-3', target: '/later' });
      await stage.recorder.flush();
      const recording = openRecording(stage.dir, keysOf(KEY));
      assert.equal((await recording.find('f0-3'))?.target, '/later');
      assert.equal((await recording.find('f1-3'))?.requestId, 'f1-3');
      assert.equal(await recording.find('f1'), undefined);
    }));

  it('tells what there is without opening it', () =>
    withStage(async (stage) => {
      const path = await threeFrames(stage);
      const summary = await openRecording(stage.dir, keysOf(KEY)).summary();
      assert.deepEqual(summary, {
        files: 1,
        bytes: statSync(path).size,
        fromMs: START_MS + 10,
        toMs: START_MS + 300,
        requests: 30,
        records: 30,
        completeIntervals: 3,
        sampledIntervals: 0,
        faults: { torn: 0, tampered: 0, foreign: 0 },
      });
    }));

  it('is empty where there is no folder', async () => {
    const recording = openRecording('/nowhere/at/all', keysOf(KEY));
    assert.deepEqual(await all(recording.read()), []);
    assert.equal((await recording.summary()).fromMs, undefined);
  });

  it('is no plain text, and its owner’s alone', () =>
    withStage(async (stage) => {
      const path = await threeFrames(stage);
      const bytes = readFileSync(path);
      for (const text of [SECRET, 'orders', 'api.example.com', 'requestId'])
        assert.equal(bytes.includes(text), false, `${text} is there`);
      assert.equal(statSync(path).mode & 0o777, 0o600);
    }));

  it('tells samples from what is whole', () =>
    withStage(
      async (stage) => {
        for (let i = 0; i < 1000; i++) stage.record({ requestId: `${i}` });
        await stage.recorder.flush();
        const summary = await openRecording(stage.dir, keysOf(KEY)).summary();
        assert.deepEqual(
          [summary.requests, summary.sampledIntervals, summary.completeIntervals],
          [1000, 1, 0],
        );
        const weights = (await stage.read()).reduce((sum, { weight }) => sum + weight, 0);
        assert.equal(weights, 1000);
        assert.equal(stage.kept.total + stage.sampledOut.total, 1000);
      },
      { requestsPerSecond: 10 },
    ));

  it('goes on where its file was deleted', () =>
    withStage(async (stage) => {
      unlinkSync(await threeFrames(stage));
      stage.record({ requestId: 'after' });
      await stage.recorder.flush();
      assert.deepEqual(
        (await stage.read()).map(({ requestId }) => requestId),
        ['after'],
      );
    }));

  it('begins another file when one is full', () =>
    withStage(
      async (stage) => {
        for (let i = 0; i < 4; i++) {
          const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))).toString('hex');
          stage.record({ target: `/${noise}` });
          await stage.recorder.flush();
        }
        assert.equal(readdirSync(stage.dir).length, 4);
      },
      { maxBytes: 600_000 },
    ));
});

describe('of a recording that was meddled with', () => {
  type Meddle = (path: string, bytes: Buffer, at: readonly number[]) => void;
  const flip =
    (offset: (at: readonly number[]) => number): Meddle =>
    (path, bytes, at) => {
      bytes[offset(at)] ^= 1;
      writeFileSync(path, bytes);
    };
  const cases: readonly (readonly [
    string,
    Meddle,
    { torn?: number; tampered?: number; foreign?: number },
    readonly string[],
  ])[] = [
    [
      'a frame that was changed is refused',
      flip((at) => at[1] + HEAD_BYTES + 5),
      { tampered: 1 },
      ['f0', 'f2'],
    ],
    ['a tag that was changed is refused', flip((at) => at[2] - 1), { tampered: 1 }, ['f0', 'f2']],
    ['a head with other times is refused', flip((at) => at[1] + 34), { tampered: 2 }, ['f0', 'f2']],
    ['a head with another number is refused', flip((at) => at[1] + 31), { tampered: 2 }, ['f0', 'f2']],
    ['a head with another length is refused', flip((at) => at[1] + 79), { tampered: 2 }, ['f0', 'f2']],
    ['a head of another key is not read', flip((at) => at[1] + 6), { foreign: 1, tampered: 1 }, ['f0', 'f2']],
    ['what is no frame is stepped over', flip((at) => at[1]), { tampered: 2 }, ['f0', 'f2']],
    [
      'an end that is missing is told',
      (path, bytes) => truncateSync(path, bytes.length - 7),
      { torn: 1 },
      ['f0', 'f1'],
    ],
    [
      'half a head at the end is told',
      (path, _, at) => truncateSync(path, at[2] + 40),
      { torn: 1 },
      ['f0', 'f1'],
    ],
    [
      'a frame that was taken out is missed',
      (path, bytes, at) =>
        writeFileSync(path, Buffer.concat([bytes.subarray(0, at[1]), bytes.subarray(at[2])])),
      { tampered: 1 },
      ['f0', 'f2'],
    ],
    [
      'a frame that is there twice is read once',
      (path, bytes, at) => appendFileSync(path, bytes.subarray(at[1], at[2])),
      { tampered: 1 },
      ['f0', 'f1', 'f2'],
    ],
    [
      'a file that is there twice is read once',
      (path) => copyFileSync(path, path.replace('.rec', '-copy.rec')),
      { tampered: 3 },
      ['f0', 'f1', 'f2'],
    ],
  ];
  for (const [name, meddle, expected, rest] of cases) {
    it(name, () =>
      withStage(async (stage) => {
        const path = await threeFrames(stage);
        const bytes = readFileSync(path);
        meddle(path, bytes, offsets(bytes));
        const recording = openRecording(stage.dir, keysOf(KEY));
        const records = await all(recording.read());
        assert.deepEqual(recording.faults, { torn: 0, tampered: 0, foreign: 0, ...expected });
        const frames = [...new Set(records.map(({ requestId }) => requestId.slice(0, 2)))];
        assert.deepEqual([frames, records.length], [rest, rest.length * 10]);
      }),
    );
  }

  it('nothing is read with another key of the same id', () =>
    withStage(async (stage) => {
      await threeFrames(stage);
      const recording = openRecording(stage.dir, new Map([[KEY.id, Buffer.alloc(32, 8)]]));
      assert.deepEqual(await all(recording.read()), []);
      assert.ok(recording.faults.tampered >= 3);
    }));

  it('nothing is read without its key, and that is told', () =>
    withStage(async (stage) => {
      await threeFrames(stage);
      const recording = openRecording(stage.dir, new Map());
      assert.deepEqual(await all(recording.read()), []);
      assert.equal(recording.faults.foreign, 3);
    }));
});

describe('a recorder', () => {
  it('lets refused requests push out none that passed, nor the other way', () =>
    withStage(
      async (stage) => {
        for (let i = 0; i < 5; i++)
          stage.record({ requestId: 'quiet' }, { stream: 'refused', group: 'acl', caller: 'a' });
        for (let i = 0; i < 5000; i++)
          stage.record({ requestId: 'flood' }, { stream: 'refused', group: 'rate-limit', caller: 'b' });
        for (let i = 0; i < 50; i++) stage.record({ requestId: 'passed' });
        await stage.recorder.flush();
        const records = await stage.read();
        const weightOf = (id: string) =>
          records.filter(({ requestId }) => requestId === id).map(({ weight }) => weight);
        assert.deepEqual([weightOf('quiet').length, weightOf('passed').length], [5, 50]);
        assert.equal(
          weightOf('flood').reduce((a, b) => a + b, 0),
          5000,
        );
      },
      { requestsPerSecond: 10 },
    ));

  it('writes what grows large before its time, and goes on with what is left of its bound', () =>
    withStage(
      async (stage) => {
        const target = `/${'x'.repeat(30_000)}`;
        for (let i = 0; i < 60; i++) stage.record({ target });
        assert.equal(stage.recorder.isSampled('passed'), false);
        for (let i = 0; i < 60; i++) stage.record();
        assert.equal(stage.recorder.isSampled('passed'), true);
        await stage.recorder.flush();
        const summary = await openRecording(stage.dir, keysOf(KEY)).summary();
        assert.equal(summary.requests, 120);
        assert.ok(summary.completeIntervals >= 1 && summary.sampledIntervals === 1);
      },
      { requestsPerSecond: 10 },
    ));

  it('keeps no more for who has it written again and again', () =>
    withStage(
      async (stage) => {
        for (let round = 0; round < 40; round++) {
          for (let i = 0; i < 50; i++) stage.record();
          await stage.recorder.flush();
        }
        stage.nowMs += 1000;
        await stage.recorder.flush();
        const { records, requests } = await openRecording(stage.dir, keysOf(KEY)).summary();
        assert.equal(requests, 2000);
        assert.ok(records < 200, `${records} are kept`);
      },
      { requestsPerSecond: 10 },
    ));

  it('keeps all again when windows without a flood are over', () =>
    withStage(
      async (stage) => {
        for (let i = 0; i < 200; i++) stage.record();
        assert.equal(stage.recorder.isSampled('passed'), true);
        stage.recorder.tick();
        // What was too much is still thinned, and nothing else.
        assert.equal(stage.recorder.isSampled('passed'), true);
        for (let i = 0; i < 50; i++) assert.equal(stage.record({}, { caller: 'quiet' }), true);
        stage.recorder.tick();
        assert.equal(stage.recorder.isSampled('passed'), false);
      },
      { requestsPerSecond: 10 },
    ));

  it('rests when the disk does not take what it has, tells it once, and goes on', async () => {
    const blocked = mkdtempSync(join(tmpdir(), 'sallyport-blocked-'));
    const dir = join(blocked, 'recordings');
    writeFileSync(dir, 'a file where the folder should be');
    const stage = new RecordingStage({}, { place: { dir, key: KEY } });
    for (let i = 0; i < 3; i++) {
      stage.record();
      await stage.recorder.flush();
    }
    assert.deepEqual([stage.log, stage.dropped.total, stage.kept.total], [['recording-stopped'], 3, 0]);
    unlinkSync(dir);
    stage.nowMs += 60_000;
    assert.equal(stage.record(), true);
    await stage.recorder.flush();
    assert.deepEqual([stage.log, stage.kept.total], [['recording-stopped', 'recording-resumed'], 1]);
    await stage.close();
    rmSync(blocked, { recursive: true });
  });
});

describe('a process that records', () => {
  const WRITER = join(import.meta.dirname, '../../test/fixtures/recording/writer.ts');

  /** Runs one until `isEnough` says so of what it has said. */
  async function runUntil(
    isEnough: (said: string) => boolean,
    shell = '',
  ): Promise<{ dir: string; said: string }> {
    const dir = mkdtempSync(join(tmpdir(), 'sallyport-recording-'));
    const command = `${shell}exec '${process.execPath}' '${WRITER}' '${dir}'`;
    const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    for await (const text of child.stdout.setEncoding('utf8')) {
      said += text;
      if (isEnough(said)) break;
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
    return { dir, said };
  }

  it('leaves all that it has written when it is killed', async () => {
    const { dir, said } = await runUntil((text) => text.split('\n').length > 20);
    const written = Number(
      said
        .match(/kept (\d+)/g)
        ?.at(-1)
        ?.slice(5),
    );
    const recording = openRecording(dir, keysOf(KEY));
    const records = await all(recording.read());
    assert.ok(records.length >= written && written > 0, `${records.length} of ${written}`);
    assert.equal(recording.faults.tampered, 0);
    rmSync(dir, { recursive: true });
  });

  it('stops to record where it may write no more, and lives on', async () => {
    // In kB. A file that may not grow is a full disk to who writes it.
    const { dir, said } = await runUntil((text) => /dropped \d{4}/.test(text), 'ulimit -f 64; ');
    assert.equal(said.match(/log recording-stopped/g)?.length, 1);
    const written = Number(
      said
        .match(/kept (\d+)/g)
        ?.at(-1)
        ?.slice(5),
    );
    const recording = openRecording(dir, keysOf(KEY));
    assert.equal((await all(recording.read())).length, written);
    assert.deepEqual(recording.faults, { torn: 0, tampered: 0, foreign: 0 });
    rmSync(dir, { recursive: true });
  });
});
