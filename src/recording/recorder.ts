import { constants, zstdCompress } from 'node:zlib';
import type { Clock, Counter, Logger } from '../contract/index.ts';
import { FrameFiles, type RecordingPlace } from './frame-file.ts';
import { weighted } from './record-line.ts';
import { type Expected, NOTHING_EXPECTED, type Sample, Sampler } from './sampler.ts';

/** Requests that were refused have room of their own: who is refused often must not push out who is let on. */
export type Stream = 'passed' | 'refused';

export interface RecorderBounds {
  readonly requestsPerSecond: number;
  readonly keepMs: number;
  readonly maxBytes: number;
}

export interface RecorderDeps {
  readonly place: RecordingPlace;
  readonly clock: Clock;
  readonly log: Logger;
  /** At least 0, below 1. */
  readonly random: () => number;
  /** Records written. */
  readonly kept: Counter;
  /** Requests that others stand for. */
  readonly sampledOut: Counter;
  /** Requests that were to be kept, and could not be. */
  readonly dropped: Counter;
  /** Calls `work` again and again; gives what ends that. */
  readonly repeat: (work: () => void, everyMs: number) => () => void;
}

const STREAMS: readonly Stream[] = ['passed', 'refused'];

/** How long what is kept stays in memory at most, and what a sample is a sample of. */
const WINDOW_MS = 10_000;
/** From this much on it is written before its time. In characters. */
const FULL_PART = 1_000_000;
/** A request that began so long before its window is written apart: a frame of long times would be in every reader's way. */
const LATE_MS = 15_000;
/** After a failure nothing is kept for so long. */
const REST_MS = 30_000;
/** A sample is written before its time at most so often. */
const FLUSH_MS = 1000;
/** Frames that wait for a slow disk. */
const MAX_WAITING = 12;
/** What of its bound a sample is: enough to judge by, and cheap where there are most. */
const SAMPLE_SHARE = 8;
const REFUSED_SHARE = 2;
const LEAST_SAMPLE = 10;
/** At least so many files share the room there is, so that what is deleted at once is little. */
const FILES_IN_ROOM = 16;
const FILES_IN_TIME = 24;
const MAX_FILE_BYTES = 8_000_000;
const LEAST_FILE_MS = 60_000;

/** What one stream has gathered since it was last written. */
interface Part {
  sampler: Sampler;
  characters: number;
  /** Records that are still kept whole in this window. */
  left: number;
  readonly expected: Expected;
}

/**
 * Keeps records of one worker for a while and then writes them: at most every ten seconds, off the requests' way. Memory
 * is bounded; a disk that does not take them stops the recording for a time and never a request.
 */
export class Recorder {
  readonly #deps: RecorderDeps;
  readonly #files: FrameFiles;
  readonly #parts: Record<Stream, Part>;
  readonly #stopTicking: () => void;
  #bounds: RecorderBounds;
  #offered: Part;
  #windowMs: number;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;
  #flushedMs = Number.NEGATIVE_INFINITY;
  /** Monotonic; until then nothing is kept. */
  #restUntilMs = Number.NEGATIVE_INFINITY;
  /** Whether the failure that goes on is in the log: it is told once. */
  #isReported = false;
  /** Told when a window begins, and with it all is kept again. */
  onWindow: () => void = () => {};

  constructor(bounds: RecorderBounds, deps: RecorderDeps) {
    this.#deps = deps;
    this.#bounds = bounds;
    this.#files = new FrameFiles(deps.place);
    this.#parts = {
      passed: this.#newPart('passed', NOTHING_EXPECTED),
      refused: this.#newPart('refused', NOTHING_EXPECTED),
    };
    this.#offered = this.#parts.passed;
    this.#windowMs = deps.clock.now();
    this.#stopTicking = deps.repeat(() => this.tick(), WINDOW_MS);
  }

  /** Counts from the next window on. */
  configure(bounds: RecorderBounds): void {
    this.#bounds = bounds;
  }

  /** Whether a stream keeps only a sample of this window. */
  isSampled(stream: Stream): boolean {
    const { sampler, expected } = this.#parts[stream];
    return sampler.isSampled || expected.size > 0;
  }

  /** Counts a request. True: it is to be kept, and `keep` or `withdraw` follows at once. */
  offer(stream: Stream, group: string, caller: string | number): boolean {
    if (this.#isReported && this.#deps.clock.monotonic() < this.#restUntilMs) {
      this.#deps.dropped.add(1);
      return false;
    }
    this.#offered = this.#parts[stream];
    return this.#offered.sampler.offer(group, caller);
  }

  /** Keeps what was offered last, as `recordLine` makes it. */
  keep(atMs: number, line: string): void {
    const part = this.#offered;
    part.sampler.keep({ atMs, line });
    part.characters += line.length;
    if (part.characters < FULL_PART || part.sampler.isSampled) return;
    this.#cut(part === this.#parts.passed ? 'passed' : 'refused');
  }

  /** What was offered last is not kept, nor counted. */
  withdraw(): void {
    this.#offered.sampler.withdraw();
  }

  /** Ends a window: writes what it has kept, and begins the next. */
  tick(): void {
    for (const stream of STREAMS) {
      const sample = this.#parts[stream].sampler.end();
      this.#parts[stream] = this.#newPart(stream, sample.expected);
      this.#write(sample);
    }
    this.#windowMs = this.#deps.clock.now();
    this.onWindow();
  }

  /**
   * Resolves when all that was kept so far is written, or could not be. Who asks again and again is shown no more of a
   * sample than each second: with every part of one as much is kept.
   */
  async flush(): Promise<void> {
    const nowMs = this.#deps.clock.monotonic();
    const isSoon = nowMs - this.#flushedMs < FLUSH_MS;
    if (!isSoon) this.#flushedMs = nowMs;
    for (const stream of STREAMS) if (!isSoon || !this.isSampled(stream)) this.#cut(stream);
    await this.#tail;
  }

  async close(): Promise<void> {
    this.#stopTicking();
    this.tick();
    await this.#tail;
    await this.#files.close();
  }

  /** Writes what a stream has kept before its time; the window goes on with what is left of its bound. */
  #cut(stream: Stream): void {
    const { sampler, left, expected } = this.#parts[stream];
    this.#parts[stream] = this.#nextPart(stream, left - sampler.count, expected);
    this.#write(sampler.end());
  }

  #newPart(stream: Stream, expected: Expected): Part {
    const whole = this.#bounds.requestsPerSecond * (WINDOW_MS / 1000);
    return this.#nextPart(stream, stream === 'passed' ? whole : Math.ceil(whole / REFUSED_SHARE), expected);
  }

  #nextPart(stream: Stream, left: number, expected: Expected): Part {
    const { requestsPerSecond } = this.#bounds;
    const whole = requestsPerSecond * (WINDOW_MS / 1000);
    const share = stream === 'passed' ? SAMPLE_SHARE : SAMPLE_SHARE * REFUSED_SHARE;
    const sample = Math.max(Math.floor(whole / share), LEAST_SAMPLE);
    const records = Math.max(left, sample);
    const sampler = new Sampler({ records, sample }, this.#deps.random, expected);
    return { sampler, characters: 0, left, expected };
  }

  #write({ kept, seen }: Sample): void {
    if (kept.length === 0) return;
    const { dropped, sampledOut } = this.#deps;
    if (this.#waiting >= MAX_WAITING) return dropped.add(kept.length);
    sampledOut.add(seen - kept.length);
    const inOrder = kept.toSorted((a, b) => a.atMs - b.atMs);
    const lateUntil = inOrder.findIndex(({ atMs }) => atMs >= this.#windowMs - LATE_MS);
    const split = lateUntil === -1 ? inOrder.length : lateUntil;
    for (const records of [inOrder.slice(0, split), inOrder.slice(split)]) {
      if (records.length === 0) continue;
      this.#waiting++;
      this.#tail = this.#tail.then(() => this.#append(records));
    }
  }

  /** Never rejects. */
  async #append(records: Sample['kept']): Promise<void> {
    const { clock, kept, dropped } = this.#deps;
    try {
      const raw = Buffer.from(records.map(({ line, weight }) => weighted(line, weight)).join('\n'));
      const requests = records.reduce((sum, { weight }) => sum + weight, 0);
      const facts = {
        isSampled: requests > records.length,
        fromMs: records[0].atMs,
        toMs: records[records.length - 1].atMs,
        requests,
        records: records.length,
        rawBytes: raw.length,
      };
      await this.#files.append(facts, await compressed(raw), this.#fileBounds, clock.now());
      kept.add(records.length);
      this.#succeeded();
    } catch (error) {
      dropped.add(records.length);
      this.#failed(error);
    } finally {
      this.#waiting--;
    }
  }

  get #fileBounds(): { readonly maxBytes: number; readonly maxAgeMs: number } {
    const { maxBytes, keepMs } = this.#bounds;
    return {
      maxBytes: Math.min(Math.floor(maxBytes / FILES_IN_ROOM), MAX_FILE_BYTES),
      maxAgeMs: Math.max(Math.floor(keepMs / FILES_IN_TIME), LEAST_FILE_MS),
    };
  }

  #succeeded(): void {
    if (!this.#isReported) return;
    this.#isReported = false;
    this.#deps.log.info('recording-resumed', { dir: this.#deps.place.dir });
  }

  #failed(error: unknown): void {
    const { clock, log, place } = this.#deps;
    this.#restUntilMs = clock.monotonic() + REST_MS;
    if (!this.#isReported) log.error('recording-stopped', { dir: place.dir, retryInMs: REST_MS, error });
    this.#isReported = true;
  }
}

function compressed(raw: Buffer): Promise<Buffer> {
  return new Promise((done, fail) => {
    zstdCompress(raw, { params: { [constants.ZSTD_c_compressionLevel]: 3 } }, (error, result) => {
      if (error === null) done(result);
      else fail(error);
    });
  });
}
