import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { ConfigError } from '../errors.ts';
import { createMeter } from './meter.ts';
import { createRecordSink, type OwnedRecordSink } from './record-sink.ts';
import { shrinkRecord } from './shrink-record.ts';

const clock = { now: () => 0, monotonic: () => performance.now() };
const LINES_PER_THREAD = 5000;

const lineOf = (writer: string, n: number): string =>
  JSON.stringify({ writer, n, path: `/${'é'.repeat((n * 7919) % 900)}` });

interface Counted {
  readonly sink: OwnedRecordSink;
  readonly written: () => number;
  readonly dropped: () => number;
}

function openCounted(target: string, more: { maxBufferedBytes?: number; now?: () => number } = {}): Counted {
  const { now = clock.monotonic, ...limits } = more;
  const meter = createMeter();
  const sink = createRecordSink({
    target,
    clock: { now, monotonic: now },
    flushIntervalMs: 5,
    written: meter.counter('sallyport_records_written_total'),
    dropped: meter.counter('sallyport_records_dropped_total'),
    ...limits,
  });
  const value = (name: string): number => meter.snapshot().find((s) => s.name === name)?.values[0] ?? 0;
  return {
    sink,
    written: () => value('sallyport_records_written_total'),
    dropped: () => value('sallyport_records_dropped_total'),
  };
}

async function writeAsThread(): Promise<void> {
  const { target, writer, gate } = workerData;
  const sink = createRecordSink({ target, clock, flushIntervalMs: 1 });
  const arrived = new Int32Array(gate);
  // Both write at the same time, or nothing could be torn.
  if (Atomics.add(arrived, 0, 1) === 0) Atomics.wait(arrived, 0, 1);
  else Atomics.notify(arrived, 0);
  for (let n = 0; n < LINES_PER_THREAD; n++) {
    sink.write(lineOf(writer, n));
    if (n % 50 === 0) await turn();
  }
  await sink.close(10_000);
}

/** Run as a program whose stdout is a socket. Its pool has one thread, which a blocked write would hold. */
const STDOUT_PROGRAM = `
  import { fstatSync } from 'node:fs';
  import { stat } from 'node:fs/promises';
  import { createRecordSink } from ${JSON.stringify(new URL('./record-sink.ts', import.meta.url).href)};
  let dropped = 0;
  let logged = 0;
  const log = { error: () => logged++ };
  const clock = { now: Date.now, monotonic: () => performance.now() };
  const sink = createRecordSink({ target: 'stdout', clock, log, dropped: { add: (n) => (dropped += n) } });
  for (let n = 0; n < 10_000; n++) sink.write('z'.repeat(99));
  const flushed = sink.flush();
  for (let n = 0; n < 100; n++) await stat('.');
  process.send({ isPoolFree: true });
  await flushed;
  process.send({ dropped });
  process.once('message', async () => {
    for (let n = 0; n < 10; n++) {
      sink.reopen();
      sink.write('lost');
      await sink.flush();
    }
    await sink.close();
    process.send({ dropped, isSocket: fstatSync(1).isSocket(), logged });
    process.disconnect();
  });`;

if (!isMainThread) await writeAsThread();
else defineTests();

function defineTests(): void {
  const dir = mkdtempSync(join(tmpdir(), 'records-'));
  after(() => rmSync(dir, { recursive: true }));
  const linesOf = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);
  const makePipe = (name: string): { path: string; reader: number } => {
    const path = join(dir, name);
    execFileSync('mkfifo', [path]);
    return { path, reader: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) };
  };
  const runThreads = async (target: string): Promise<void> => {
    const gate = new SharedArrayBuffer(4);
    const threads = ['a', 'b'].map(
      (writer) => new Worker(new URL(import.meta.url), { workerData: { target, writer, gate } }),
    );
    await Promise.all(threads.map((thread) => once(thread, 'exit')));
  };
  const assertAllWhole = (lines: readonly string[]): void => {
    const seen = new Set(lines.map((line) => ((r) => `${r.writer}${r.n}`)(JSON.parse(line))));
    assert.equal(lines.length, 2 * LINES_PER_THREAD);
    assert.equal(seen.size, 2 * LINES_PER_THREAD);
  };

  test('a target that cannot be opened is refused at once', () => {
    const unread = join(dir, 'unread.fifo');
    execFileSync('mkfifo', [unread]);
    for (const target of [join(dir, 'no', 'where.log'), dir, unread]) {
      assert.throws(() => createRecordSink({ target, clock }), ConfigError);
    }
  });

  test('lines arrive in order, in a file only its owner reads', async () => {
    const file = join(dir, 'order.log');
    const { sink, written, dropped } = openCounted(file);
    for (let n = 0; n < 1000; n++) sink.write(String(n));
    await sink.close();
    assert.deepEqual(
      linesOf(file),
      Array.from({ length: 1000 }, (_, n) => String(n)),
    );
    assert.deepEqual([written(), dropped()], [1000, 0]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test('what was written makes room again', async () => {
    const file = join(dir, 'room.log');
    const { sink, written, dropped } = openCounted(file, { maxBufferedBytes: 1000 });
    for (let n = 0; n < 100; n++) {
      sink.write('z'.repeat(499));
      await sink.flush();
    }
    await sink.close();
    assert.deepEqual([written(), dropped()], [100, 0]);
  });

  test('two threads that append to one file tear no line', async () => {
    const file = join(dir, 'threads.log');
    await runThreads(file);
    assertAllWhole(linesOf(file));
  });

  test('two threads that write to one pipe tear no line', async () => {
    const { path, reader } = makePipe('threads.fifo');
    const chunks: Buffer[] = [];
    let isOver = false;
    const done = runThreads(path).then(() => {
      isOver = true;
    });
    while (readAll(reader, chunks) > 0 || !isOver) await turn();
    await done;
    closeSync(reader);
    assertAllWhole(Buffer.concat(chunks).toString().split('\n').slice(0, -1));
  });

  test('a full pipe blocks nobody: what is over the bound is dropped and counted, the rest comes whole', async () => {
    const { path, reader } = makePipe('full.fifo');
    const maxBufferedBytes = 100_000;
    const { sink, written, dropped } = openCounted(path, { maxBufferedBytes });
    const line = 'x'.repeat(99);
    for (let n = 0; n < 20_000; n++) {
      sink.write(line);
      if (n % 100 === 0) await turn();
    }
    const pipeBytes = 65_536;
    assert.ok(dropped() >= (20_000 * 100 - maxBufferedBytes - pipeBytes) / 100, String(dropped()));
    const chunks: Buffer[] = [];
    const flushed = sink.flush().then(() => true);
    while (!(await Promise.race([flushed, turn(false)]))) readAll(reader, chunks);
    readAll(reader, chunks);
    closeSync(reader);
    await sink.close();
    const lines = Buffer.concat(chunks).toString().split('\n').slice(0, -1);
    assert.equal(lines.length, written());
    assert.equal(written() + dropped(), 20_000);
    assert.ok(lines.every((l) => l === line));
  });

  test('a socket as stdout holds no thread, gets whole lines, outlives its reader, stays open', {
    timeout: 20_000,
  }, async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', STDOUT_PROGRAM], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    });
    after(() => child.kill('SIGKILL'));
    const { stdout } = child;
    const report = async (): Promise<unknown> => (await once(child, 'message'))[0];
    assert.deepEqual(await report(), { isPoolFree: true });
    const chunks: Buffer[] = [];
    stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    assert.deepEqual(await report(), { dropped: 0 });
    while (Buffer.concat(chunks).length < 10_000 * 100) await turn();
    assert.equal(Buffer.concat(chunks).toString(), `${'z'.repeat(99)}\n`.repeat(10_000));
    stdout?.destroy();
    child.send('go on');
    assert.deepEqual(await report(), { dropped: 10, isSocket: true, logged: 1 });
    await once(child, 'exit');
  });

  test('closing gives up on a stuck pipe and counts what was lost', async () => {
    const { path, reader } = makePipe('stuck.fifo');
    const { sink, written, dropped } = openCounted(path);
    for (let n = 0; n < 3000; n++) sink.write('y'.repeat(99));
    await sink.close(20);
    closeSync(reader);
    assert.ok(dropped() > 0);
    assert.equal(written() + dropped(), 3000);
    sink.write('late');
    assert.equal(written() + dropped(), 3001);
  });

  test('a pipe whose reader left drops and counts; a new reader gets new records', async () => {
    const { path, reader } = makePipe('left.fifo');
    let nowMs = 0;
    const { sink, dropped, written } = openCounted(path, { now: () => nowMs });
    closeSync(reader);
    sink.write('lost');
    await sink.flush();
    assert.equal(dropped(), 1);
    const next = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    sink.write('too early');
    await sink.flush();
    nowMs += 5000;
    sink.write('found');
    await sink.flush();
    const chunks: Buffer[] = [];
    readAll(next, chunks);
    closeSync(next);
    await sink.close();
    assert.equal(Buffer.concat(chunks).toString(), 'found\n');
    assert.deepEqual([written(), dropped()], [1, 2]);
  });

  test('after a rotation, reopening goes on in a new file and loses nothing', async () => {
    const file = join(dir, 'rotate.log');
    const { sink } = openCounted(file);
    sink.write('before');
    await sink.flush();
    renameSync(file, `${file}.1`);
    sink.write('between');
    sink.reopen();
    sink.write('after');
    await sink.close();
    assert.deepEqual([...linesOf(`${file}.1`), ...linesOf(file)], ['before', 'between', 'after']);
    assert.equal(linesOf(file).at(-1), 'after');
  });

  test('a line cut short by a full disk or a crash is ended before the next', async () => {
    const file = join(dir, 'cut.log');
    writeFileSync(file, 'one\ntw');
    const { sink } = openCounted(file);
    sink.write('three');
    await sink.flush();
    sink.write('four');
    await sink.close();
    assert.deepEqual(linesOf(file), ['one', 'tw', 'three', 'four']);
  });

  test('on a full disk the rest of a line is lost; what comes when there is room begins a new one', async () => {
    const file = join(dir, 'full-disk.log');
    // A disk that is full, and then the file as such a disk leaves it.
    symlinkSync('/dev/full', file);
    let nowMs = 0;
    const { sink, written, dropped } = openCounted(file, { now: () => nowMs });
    sink.write('lost');
    await sink.flush();
    rmSync(file);
    writeFileSync(file, 'half a l');
    nowMs += 5000;
    sink.write('first');
    sink.write('second');
    await sink.close();
    assert.deepEqual(linesOf(file), ['half a l', 'first', 'second']);
    assert.deepEqual([written(), dropped()], [2, 1]);
  });

  test('a pipe in place of a file gets what waits in pieces that are never torn', async () => {
    const file = join(dir, 'file-then-pipe.log');
    const sinks = [openCounted(file), openCounted(file)];
    renameSync(file, `${file}.1`);
    const { path, reader } = makePipe('file-then-pipe.log');
    assert.equal(path, file);
    const line = (writer: number, n: number) => JSON.stringify({ writer, n, path: `/${'é'.repeat(250)}` });
    const long = JSON.stringify({ writer: 'long', path: `/${'p'.repeat(8000)}` });
    const perSink = 400;
    // Less than a batch for a file, much more than one for a pipe.
    const waiting = 60;
    for (const [writer, { sink }] of sinks.entries()) {
      for (let n = 0; n < waiting; n++) sink.write(line(writer, n));
      sink.write(long);
      sink.write('y'.repeat(8000));
      sink.reopen();
      for (let n = waiting; n < perSink; n++) sink.write(line(writer, n));
    }
    const chunks: Buffer[] = [];
    const flushed = Promise.all(sinks.map(({ sink }) => sink.flush())).then(() => true);
    const piece = Buffer.alloc(3001);
    while (!(await Promise.race([flushed, turn(false)]))) {
      chunks.push(Buffer.from(piece.subarray(0, readWhereReady(reader, piece))));
    }
    readAll(reader, chunks);
    closeSync(reader);
    const records = Buffer.concat(chunks)
      .toString()
      .split('\n')
      .slice(0, -1)
      .map((l) => JSON.parse(l));
    for (const writer of sinks.keys()) {
      const order = records.filter((r) => r.writer === writer).map((r) => r.n);
      assert.deepEqual(
        order,
        Array.from({ length: perSink }, (_, n) => n),
      );
    }
    assert.equal(records.filter((r) => r.writer === 'long' && r.truncated === true).length, 2);
    for (const { sink, written, dropped } of sinks) {
      await sink.close();
      assert.deepEqual([written(), dropped()], [perSink + 1, 1]);
    }
  });

  test('where reopening fails the old file is kept', async () => {
    const file = join(dir, 'keep.log');
    const { sink, dropped } = openCounted(file);
    renameSync(file, `${file}.1`);
    mkdirSync(file);
    sink.reopen();
    sink.write('kept');
    await sink.close();
    assert.deepEqual(linesOf(`${file}.1`), ['kept']);
    assert.equal(dropped(), 0);
  });

  test('a record too long to be written in one piece is shrunk, never lost', async () => {
    const { path, reader } = makePipe('long.fifo');
    const { sink, dropped } = openCounted(path);
    sink.write(JSON.stringify({ requestId: 'r1', status: 403, path: `/${'p'.repeat(8000)}` }));
    await sink.flush();
    const chunks: Buffer[] = [];
    readAll(reader, chunks);
    closeSync(reader);
    await sink.close();
    const { path: shortPath, ...rest } = JSON.parse(Buffer.concat(chunks).toString());
    assert.deepEqual(rest, { requestId: 'r1', status: 403, truncated: true });
    assert.ok(shortPath.startsWith('/ppp') && shortPath.length < 300);
    assert.equal(dropped(), 0);
  });

  test('`none` writes nothing', async () => {
    const { sink, written, dropped } = openCounted('none');
    sink.write('x');
    await sink.close();
    assert.deepEqual([written(), dropped()], [0, 0]);
  });

  test('shrinking keeps what was refused before what was let on', () => {
    const entry = (n: number, outcome: string) => ({ attachment: `route:r/p#${n}`, outcome });
    const decisions = Array.from({ length: 200 }, (_, n) => entry(n, n === 7 ? 'reject' : 'continue'));
    const cases: [string, unknown, number, unknown][] = [
      ['refusals', { id: 1, decisions }, 300, { id: 1, decisions: [entry(7, 'reject')], truncated: true }],
      ['plain', { id: 1, other: decisions }, 300, { id: 1, truncated: true }],
      ['too long even so', { id: 'x'.repeat(200) }, 50, undefined],
      ['not an object', [1], 300, undefined],
    ];
    for (const [name, record, maxBytes, expected] of cases) {
      const shrunk = shrinkRecord(JSON.stringify(record), maxBytes);
      assert.deepEqual(shrunk === undefined ? undefined : JSON.parse(shrunk), expected, name);
    }
    assert.equal(shrinkRecord('not json', 300), undefined);
  });
}

/** Reads what is there without waiting; returns the number of bytes. */
function readAll(fd: number, into: Buffer[]): number {
  let total = 0;
  for (;;) {
    const chunk = Buffer.alloc(65_536);
    const size = readWhereReady(fd, chunk);
    if (size === 0) return total;
    total += size;
    into.push(chunk.subarray(0, size));
  }
}

function readWhereReady(fd: number, chunk: Buffer): number {
  try {
    return readSync(fd, chunk);
  } catch {
    return 0;
  }
}
