import type { RecordedRequest } from '../contract/index.ts';

/** Which records to read. */
export interface RecordingRange {
  /** From this time on, in milliseconds since the epoch; by when a request's evaluation began. Default: the oldest. */
  readonly fromMs?: number;
  /** Before this time. Default: the latest. */
  readonly toMs?: number;
}

/** What was found in files and cannot be used. */
export interface RecordingFaults {
  /** Frames that a process had not finished writing when it ended. */
  readonly torn: number;
  /** Frames that were changed, moved, repeated or left out: refused. */
  readonly tampered: number;
  /** Frames that need a key that is not given. */
  readonly foreign: number;
}

/** What there is, without decrypting any of it but to look for faults. */
export interface RecordingSummary {
  readonly files: number;
  /** On disk. */
  readonly bytes: number;
  /** Of the earliest and the latest request; undefined where there is none. */
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  /** Requests that were seen: the sum of all weights. */
  readonly requests: number;
  /** Records that are kept of them. */
  readonly records: number;
  /** Of the stretches of time that each worker wrote down, those of which every request is kept, and the others. */
  readonly completeIntervals: number;
  readonly sampledIntervals: number;
  readonly faults: RecordingFaults;
}

/** Records of all workers of a data folder. Reading needs no running gateway, and disturbs none. */
export interface Recording {
  /**
   * The records of all workers in the order in which their evaluation began, one file's piece in memory at a time for
   * each. What cannot be used is left out, and counted in `faults`.
   */
  read(range?: RecordingRange): AsyncIterable<RecordedRequest>;
  /** The latest record of that id; undefined where there is none. */
  find(requestId: string): Promise<RecordedRequest | undefined>;
  /** Reads heads of frames only. */
  summary(range?: RecordingRange): Promise<RecordingSummary>;
  /** What the readings so far could not use. */
  readonly faults: RecordingFaults;
}

/** Keys that records can be read with: 256 bits each, by the id of the master key that they come of. */
export type RecordingKeys = ReadonlyMap<string, Uint8Array>;

/** The key that records are written with. */
export interface RecordingKey {
  readonly id: string;
  /** 256 bits, of the master key by HKDF. */
  readonly key: Uint8Array;
}
