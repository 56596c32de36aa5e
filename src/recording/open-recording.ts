import type { RecordedRequest } from '../contract/index.ts';
import { type FaultCounts, type IndexedFrame, indexFrames, noFaults, readFrame } from './frame-index.ts';
import { readRecord } from './record-line.ts';
import type { Recording, RecordingKeys, RecordingRange, RecordingSummary } from './recording.ts';

/** Opens the records of a folder; there need not be any. `keys`: those of all master keys that are at hand. */
export function openRecording(dir: string, keys: RecordingKeys): Recording {
  return new RecordingInFolder(dir, keys);
}

class RecordingInFolder implements Recording {
  faults: FaultCounts = noFaults();
  readonly #dir: string;
  readonly #keys: RecordingKeys;

  constructor(dir: string, keys: RecordingKeys) {
    this.#dir = dir;
    this.#keys = keys;
  }

  async *read(range: RecordingRange = {}): AsyncIterable<RecordedRequest> {
    const { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY } = range;
    const frames = await this.#frames(fromMs, toMs);
    const waiting = frames.sort((a, b) => a.head.fromMs - b.head.fromMs);
    const cursors = new Cursors();
    for (let next = 0; ; ) {
      // One that begins later than what is at hand cannot hold anything earlier.
      while (next < waiting.length && waiting[next].head.fromMs <= cursors.earliestMs) {
        const bytes = await readFrame(waiting[next++], this.faults);
        if (bytes !== undefined) cursors.add(bytes);
      }
      if (cursors.isEmpty) return;
      const untilMs = next < waiting.length ? waiting[next].head.fromMs : Number.POSITIVE_INFINITY;
      do {
        const record = cursors.take();
        if (record.atMs >= toMs) return;
        if (record.atMs >= fromMs) yield record;
      } while (cursors.earliestMs < untilMs);
    }
  }

  async find(requestId: string): Promise<RecordedRequest | undefined> {
    const frames = await this.#frames(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    frames.sort((a, b) => b.head.toMs - a.head.toMs);
    const quoted = JSON.stringify(requestId);
    let found: RecordedRequest | undefined;
    for (const frame of frames) {
      // Only a later frame can hold a later one of the same id.
      if (found !== undefined && frame.head.toMs < found.atMs) break;
      const bytes = await readFrame(frame, this.faults);
      if (bytes === undefined || !bytes.includes(quoted)) continue;
      for (const line of linesOf(bytes)) {
        if (!line.includes(quoted)) continue;
        const record = readRecord(line);
        if (record.requestId === requestId && record.atMs >= (found?.atMs ?? 0)) found = record;
      }
    }
    return found;
  }

  async summary(range: RecordingRange = {}): Promise<RecordingSummary> {
    const { fromMs: from = Number.NEGATIVE_INFINITY, toMs: to = Number.POSITIVE_INFINITY } = range;
    const { frames, files, bytes, faults } = await indexFrames(this.#dir, this.#keys);
    const heads = frames.map(({ head }) => head).filter(({ fromMs, toMs }) => fromMs < to && toMs >= from);
    const sampled = heads.filter(({ isSampled }) => isSampled).length;
    return {
      files,
      bytes,
      fromMs:
        heads.length === 0 ? undefined : heads.reduce((m, h) => Math.min(m, h.fromMs), Number.MAX_VALUE),
      toMs: heads.length === 0 ? undefined : heads.reduce((m, h) => Math.max(m, h.toMs), 0),
      requests: heads.reduce((sum, { requests }) => sum + requests, 0),
      records: heads.reduce((sum, { records }) => sum + records, 0),
      completeIntervals: heads.length - sampled,
      sampledIntervals: sampled,
      faults,
    };
  }

  async #frames(fromMs: number, toMs: number): Promise<IndexedFrame[]> {
    const { frames, faults } = await indexFrames(this.#dir, this.#keys);
    this.faults.torn += faults.torn;
    this.faults.tampered += faults.tampered;
    this.faults.foreign += faults.foreign;
    return frames.filter(({ head }) => head.toMs >= fromMs && head.fromMs < toMs);
  }
}

/** Where reading stands in one frame, whose lines are in the order of time. */
interface Cursor {
  readonly lines: readonly string[];
  at: number;
  next: RecordedRequest;
}

/** Several frames as one; a heap by the time of what each gives next. */
class Cursors {
  readonly #heap: Cursor[] = [];

  get isEmpty(): boolean {
    return this.#heap.length === 0;
  }

  /** Of the record that is next; infinite for none. */
  get earliestMs(): number {
    return this.#heap.length === 0 ? Number.POSITIVE_INFINITY : this.#heap[0].next.atMs;
  }

  add(bytes: Buffer): void {
    const lines = linesOf(bytes);
    if (lines.length === 0) return;
    this.#heap.push({ lines, at: 0, next: readRecord(lines[0]) });
    this.#rise(this.#heap.length - 1);
  }

  /** The earliest record. Asked only where there is one. */
  take(): RecordedRequest {
    const heap = this.#heap;
    const [cursor] = heap;
    const record = cursor.next;
    if (++cursor.at < cursor.lines.length) cursor.next = readRecord(cursor.lines[cursor.at]);
    else {
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return record;
      heap[0] = last;
    }
    this.#sink();
    return record;
  }

  #rise(from: number): void {
    const heap = this.#heap;
    for (let i = from; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (heap[parent].next.atMs <= heap[i].next.atMs) return;
      [heap[parent], heap[i]] = [heap[i], heap[parent]];
      i = parent;
    }
  }

  #sink(): void {
    const heap = this.#heap;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const child = right < heap.length && heap[right].next.atMs < heap[left].next.atMs ? right : left;
      if (heap[i].next.atMs <= heap[child].next.atMs) return;
      [heap[child], heap[i]] = [heap[i], heap[child]];
      i = child;
    }
  }
}

const linesOf = (bytes: Buffer): readonly string[] =>
  bytes.length === 0 ? [] : bytes.toString('utf8').split('\n');
