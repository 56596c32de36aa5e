import { constants } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompress } from 'node:zlib';
import {
  type FrameHead,
  HEAD_BYTES,
  isGenuine,
  MAGIC,
  MAX_FRAME_BYTES,
  openFrame,
  readHead,
} from './frame.ts';
import { type FileKeys, fileKeysOf } from './keys.ts';
import type { RecordingFaults, RecordingKeys } from './recording.ts';

/** A pipe that has taken the place of a file is not waited for, nor a link followed. */
const OPENED = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** So many pieces of a file that are no frames, and its rest is not looked at any more. */
const MAX_REFUSED = 100;
/** So far the next frame is looked for: no writer makes a larger one of what it keeps. */
const SEARCHED_BYTES = 32 * 1024 * 1024;

/** What the names of files end in. */
export const FILE_SUFFIX = '.rec';

/** A frame whose head is genuine, and where it lies. */
export interface IndexedFrame {
  readonly path: string;
  readonly offset: number;
  readonly head: FrameHead;
  readonly keys: FileKeys;
}

/** Faults as they are counted. */
export interface FaultCounts {
  torn: number;
  tampered: number;
  foreign: number;
}

export const noFaults = (): FaultCounts => ({ torn: 0, tampered: 0, foreign: 0 });

export interface FrameIndex {
  readonly frames: readonly IndexedFrame[];
  readonly files: number;
  readonly bytes: number;
  readonly faults: RecordingFaults;
}

/** Reads the heads of all frames of a folder. A folder that is not there has none. */
export async function indexFrames(dir: string, keys: RecordingKeys): Promise<FrameIndex> {
  const faults = noFaults();
  const frames: IndexedFrame[] = [];
  const seen = new Set<string>();
  let files = 0;
  let bytes = 0;
  for (const name of await recordingFiles(dir)) {
    const scan = new FileScan(join(dir, name), keys, faults, seen);
    const size = await scan.run();
    // Deleted meanwhile: its time was over.
    if (size === undefined) continue;
    files++;
    bytes += size;
    frames.push(...scan.frames);
  }
  return { frames, files, bytes, faults };
}

/** Names of the files, the oldest first. Links, pipes and the like are none of ours. */
export async function recordingFiles(dir: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(FILE_SUFFIX));
    return files.map(({ name }) => name).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The records of a frame as text, one a line. Undefined where it is gone, or was changed, which is counted. */
export async function readFrame(frame: IndexedFrame, faults: FaultCounts): Promise<Buffer | undefined> {
  const { path, offset, head, keys } = frame;
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + head.sealedBytes);
  const handle = await openThere(path);
  if (handle === undefined) return undefined;
  try {
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
    if (bytesRead === bytes.length) return await decompressed(openFrame(bytes, head, keys), head.rawBytes);
    faults.torn++;
  } catch {
    faults.tampered++;
  } finally {
    await handle.close();
  }
  return undefined;
}

function decompressed(compressed: Buffer, rawBytes: number): Promise<Buffer> {
  return new Promise((done, fail) => {
    zstdDecompress(compressed, { maxOutputLength: rawBytes }, (error, raw) => {
      if (error === null) done(raw);
      else fail(error);
    });
  });
}

/** One file from its start to its end; what cannot be used is counted and stepped over. */
class FileScan {
  readonly frames: IndexedFrame[] = [];
  readonly #path: string;
  readonly #keys: RecordingKeys;
  readonly #faults: FaultCounts;
  /** Ids of files so far: a copy of one is not another. */
  readonly #seen: Set<string>;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  /** Of the file; undefined until the first genuine head says it. */
  #fileId: string | undefined = undefined;
  #fileKeys: FileKeys | undefined = undefined;
  #next = 0;
  #refused = 0;

  constructor(path: string, keys: RecordingKeys, faults: FaultCounts, seen: Set<string>) {
    this.#path = path;
    this.#keys = keys;
    this.#faults = faults;
    this.#seen = seen;
  }

  /** Bytes of the file; undefined where it is gone. */
  async run(): Promise<number | undefined> {
    const handle = await openThere(this.#path);
    if (handle === undefined) return undefined;
    try {
      const { size } = await handle.stat();
      for (let at = 0; at < size; ) at = await this.#step(handle, at, size);
      return size;
    } finally {
      await handle.close();
    }
  }

  /** Where the next frame may begin. */
  async #step(handle: FileHandle, at: number, size: number): Promise<number> {
    if (size - at < HEAD_BYTES) {
      this.#faults.torn++;
      return size;
    }
    const { bytesRead } = await handle.read(this.#head, 0, HEAD_BYTES, at);
    const head = bytesRead === HEAD_BYTES ? readHead(this.#head) : undefined;
    if (head === undefined || head.sealedBytes > MAX_FRAME_BYTES) return await this.#refuse(handle, at, size);
    const key = this.#keys.get(head.keyId);
    if (key === undefined) {
      this.#faults.foreign++;
      return at + HEAD_BYTES + head.sealedBytes;
    }
    const keys = this.#keysOf(head, key);
    if (!isGenuine(this.#head, keys)) return await this.#refuse(handle, at, size);
    const end = at + HEAD_BYTES + head.sealedBytes;
    if (!this.#isExpected(head)) this.#faults.tampered++;
    else if (end > size) this.#faults.torn++;
    else this.frames.push({ path: this.#path, offset: at, head, keys });
    return end;
  }

  #keysOf({ fileId }: FrameHead, key: Uint8Array): FileKeys {
    const id = Buffer.from(fileId).toString('hex');
    if (this.#fileKeys !== undefined && id === this.#fileId) return this.#fileKeys;
    return fileKeysOf(key, fileId);
  }

  /** Whether it is this file's, and comes in its turn. Those that are missing before it are counted. */
  #isExpected(head: FrameHead): boolean {
    const id = Buffer.from(head.fileId).toString('hex');
    if (this.#fileId === undefined) {
      if (this.#seen.has(id)) return false;
      this.#seen.add(id);
      this.#fileId = id;
      const key = this.#keys.get(head.keyId);
      if (key !== undefined) this.#fileKeys = fileKeysOf(key, head.fileId);
    }
    if (id !== this.#fileId || head.sequence < this.#next) return false;
    this.#faults.tampered += head.sequence - this.#next;
    this.#next = head.sequence + 1;
    return true;
  }

  /**
   * What is there is no frame: the next one is looked for. Not without end: a file of nothing but beginnings, or with a
   * hole in it, would be read for as long as its length squared.
   */
  async #refuse(handle: FileHandle, at: number, size: number): Promise<number> {
    this.#faults.tampered++;
    if (++this.#refused > MAX_REFUSED) return size;
    const piece = Buffer.allocUnsafe(Math.min(SEARCHED_BYTES, size - at - 1));
    const { bytesRead } = await handle.read(piece, 0, piece.length, at + 1);
    const found = piece.subarray(0, bytesRead).indexOf(MAGIC);
    return found === -1 ? size : at + 1 + found;
  }
}

async function openThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, OPENED);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
