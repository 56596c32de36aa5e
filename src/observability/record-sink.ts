import type { Clock, Counter, Logger, RecordSink } from '../contract/index.ts';
import { type LineBatch, NEWLINE, recutBatches } from './line-batch.ts';
import { type LineTarget, openLineTarget } from './line-target.ts';
import { shrinkRecord } from './shrink-record.ts';

export interface RecordSinkOptions {
  /** `stdout`, `none`, or the path of a file that is appended to (mode 0600 where it is made). */
  readonly target: string;
  readonly clock: Clock;
  /** Lines waiting beyond this are dropped. In bytes; default 8 MiB. */
  readonly maxBufferedBytes?: number;
  /** Longest time a line waits for others to be written with it. Default 100 ms. */
  readonly flushIntervalMs?: number;
  readonly written?: Counter;
  readonly dropped?: Counter;
  readonly log?: Logger;
}

/** A sink with an owner, who reopens and closes it. */
export interface OwnedRecordSink extends RecordSink {
  /** Opens the file again by its name (SIGHUP, after a rotation). Where that fails the old file is kept. */
  reopen(): void;
  /** Settles when all lines so far are written or dropped. */
  flush(): Promise<void>;
  /** Flushes for at most `deadlineMs` (default 2 s), counts the rest as dropped, and closes. */
  close(deadlineMs?: number): Promise<void>;
}

/** After a failure the target is tried again no sooner than this. */
const RETRY_MS = 1000;

const LINE_FEED = Buffer.from([NEWLINE]);
/** The most bytes of UTF-8 that one unit of a text can take. */
const UTF8_BYTES = 3;

const NO_SINK: OwnedRecordSink = Object.freeze({
  write: () => undefined,
  reopen: () => undefined,
  flush: () => Promise.resolve(),
  close: () => Promise.resolve(),
});

/**
 * Opens a sink for this thread. `write` costs a copy and never blocks: batches of whole lines go out
 * one at a time, each small enough to arrive in one piece although other threads write to the same place.
 * A line too long for that is shrunk. What a slow or failing target does not take is dropped and counted.
 * @throws ConfigError when the target cannot be opened
 */
export function createRecordSink(options: RecordSinkOptions): OwnedRecordSink {
  return options.target === 'none' ? NO_SINK : new BufferedSink(options);
}

class BufferedSink implements OwnedRecordSink {
  readonly #options: RecordSinkOptions;
  readonly #maxBufferedBytes: number;
  readonly #timer: NodeJS.Timeout;
  readonly #queue: LineBatch[] = [];
  #target: LineTarget;
  #batch: LineBatch;
  /** A batch that was written and may be filled again. */
  #spare: Buffer | undefined;
  /** The batch that is being filled is to follow the one in flight, full or not. */
  #isDue = false;
  #inFlight: LineBatch | undefined;
  #bufferedBytes = 0;
  /** What is written next must not be glued to half a line: of a disk that was full, or of a crash. */
  #isMidLine: boolean;
  #reopenAsked = false;
  #failedAtMs: number | undefined;
  /** Whether the failure that goes on is in the log: it is told once, not at every try. */
  #isReported = false;
  #closed = false;
  #idleWaiters: (() => void)[] = [];

  constructor(options: RecordSinkOptions) {
    this.#options = options;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 8 * 1024 * 1024;
    this.#target = this.#open();
    this.#isMidLine = this.#target.endsMidLine;
    this.#batch = this.#emptyBatch();
    this.#timer = setInterval(() => this.#handOver(), options.flushIntervalMs ?? 100);
    this.#timer.unref();
  }

  write(line: string): void {
    const { used, bytes } = this.#batch;
    if (used + line.length * UTF8_BYTES + 1 <= bytes.length) return this.#append(line);
    // Close to the end of a batch, or long: now its exact size matters.
    const { atomicBytes } = this.#target;
    if (Buffer.byteLength(line) + 1 <= atomicBytes) return this.#appendSized(line);
    const shrunk = shrinkRecord(line, atomicBytes - 1);
    if (shrunk === undefined) this.#options.dropped?.add(1);
    else this.#appendSized(shrunk);
  }

  reopen(): void {
    this.#reopenAsked = true;
    this.#handOver();
  }

  flush(): Promise<void> {
    this.#handOver();
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  async close(deadlineMs = 2000): Promise<void> {
    if (this.#closed) return;
    clearInterval(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([this.flush(), deadline]);
    clearTimeout(timer);
    this.#closed = true;
    this.#queue.push(this.#batch);
    this.#batch = this.#emptyBatch();
    this.#dropWaiting();
    this.#wakeWaiters();
    this.#target.close();
  }

  #appendSized(line: string): void {
    if (this.#batch.used + Buffer.byteLength(line) + 1 > this.#batch.bytes.length) this.#endBatch();
    this.#append(line);
  }

  /** There is room for it in the batch. */
  #append(line: string): void {
    if (this.#closed || this.#bufferedBytes >= this.#maxBufferedBytes) {
      this.#options.dropped?.add(1);
      return;
    }
    const batch = this.#batch;
    const end = batch.used + batch.bytes.write(line, batch.used, 'utf8');
    batch.bytes[end] = NEWLINE;
    this.#bufferedBytes += end + 1 - batch.used;
    batch.used = end + 1;
    batch.lines++;
  }

  #emptyBatch(): LineBatch {
    const { atomicBytes } = this.#target;
    const fits = this.#spare?.length === atomicBytes;
    const bytes = fits && this.#spare !== undefined ? this.#spare : Buffer.allocUnsafeSlow(atomicBytes);
    this.#spare = undefined;
    return { bytes, used: 0, lines: 0 };
  }

  #endBatch(): void {
    const { lines, bytes } = this.#batch;
    if (lines > 0) this.#queue.push(this.#batch);
    // Reopened as another kind of target, batches have another size.
    if (lines > 0 || bytes.length !== this.#target.atomicBytes) this.#batch = this.#emptyBatch();
    this.#pump();
  }

  /** What is not full waits while another is written: each holds a whole batch's memory. */
  #handOver(): void {
    this.#isDue = this.#inFlight !== undefined;
    if (this.#isDue) this.#pump();
    else this.#endBatch();
  }

  /** One batch at a time: the stream would join waiting ones into a write that may be torn. */
  #pump(): void {
    if (this.#inFlight !== undefined || this.#closed) return;
    if (this.#reopenAsked || this.#failedAtMs !== undefined) this.#openAgain();
    if (this.#failedAtMs !== undefined) this.#dropWaiting();
    const batch = this.#queue.shift();
    if (batch === undefined) return this.#nothingQueued();
    this.#inFlight = batch;
    const target = this.#target;
    const lines = batch.bytes.subarray(0, batch.used);
    target.stream.write(this.#isMidLine ? Buffer.concat([LINE_FEED, lines]) : lines, (error) => {
      if (error == null) this.#onWritten(batch);
      else this.#onError(target, error);
    });
  }

  #nothingQueued(): void {
    if (!this.#isDue) return this.#wakeWaiters();
    this.#isDue = false;
    this.#endBatch();
  }

  #onWritten(batch: LineBatch): void {
    if (this.#inFlight !== batch) return;
    this.#inFlight = undefined;
    this.#isReported = false;
    this.#isMidLine = false;
    this.#bufferedBytes -= batch.used;
    this.#spare = batch.bytes;
    this.#options.written?.add(batch.lines);
    this.#pump();
  }

  #open(): LineTarget {
    const target = openLineTarget(this.#options.target);
    target.stream.on('error', (error) => this.#onError(target, error));
    return target;
  }

  #openAgain(): void {
    const nowMs = this.#options.clock.monotonic();
    const waits = this.#failedAtMs !== undefined && nowMs - this.#failedAtMs < RETRY_MS;
    if (waits && !this.#reopenAsked) return;
    this.#reopenAsked = false;
    try {
      const target = this.#open();
      const { atomicBytes } = this.#target;
      this.#target.close();
      this.#target = target;
      this.#isMidLine = target.endsMidLine;
      this.#failedAtMs = undefined;
      if (target.atomicBytes < atomicBytes) this.#recut();
    } catch (error) {
      if (this.#failedAtMs !== undefined) this.#failedAtMs = nowMs;
      this.#report('record-sink-reopen-failed', error);
    }
  }

  /** A pipe in place of a file takes smaller pieces than those that wait. */
  #recut(): void {
    const { full, last, dropped } = recutBatches([...this.#queue, this.#batch], this.#target.atomicBytes);
    this.#options.dropped?.add(dropped);
    this.#queue.splice(0, this.#queue.length, ...full);
    this.#batch = last;
    this.#bufferedBytes = full.reduce((sum, { used }) => sum + used, last.used);
  }

  #onError(target: LineTarget, error: Error): void {
    if (target !== this.#target || this.#closed) return;
    this.#report('record-sink-failed', error);
    this.#failedAtMs = this.#options.clock.monotonic();
    this.#dropWaiting();
    this.#wakeWaiters();
  }

  #report(event: string, error: unknown): void {
    if (!this.#isReported) this.#options.log?.error(event, { target: this.#options.target, error });
    this.#isReported = true;
  }

  /** Drops all but the batch that is being filled. */
  #dropWaiting(): void {
    const waiting = this.#inFlight === undefined ? this.#queue : [this.#inFlight, ...this.#queue];
    for (const batch of waiting) {
      this.#options.dropped?.add(batch.lines);
      this.#bufferedBytes -= batch.used;
    }
    this.#queue.length = 0;
    this.#inFlight = undefined;
  }

  #isIdle(): boolean {
    return this.#inFlight === undefined && this.#queue.length === 0 && this.#batch.lines === 0;
  }

  #wakeWaiters(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }
}
