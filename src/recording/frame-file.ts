import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { FILE_ID_BYTES, type FrameFacts, NONCE_BYTES, sealFrame } from './frame.ts';
import { FILE_SUFFIX } from './frame-index.ts';
import { type FileKeys, fileKeysOf } from './keys.ts';
import type { RecordingKey } from './recording.ts';

/** Where one worker's records go. */
export interface RecordingPlace {
  /** The folder, made where it is not there. */
  readonly dir: string;
  readonly key: RecordingKey;
}

/** When a file is full or old enough that another is begun: whole files are deleted, never parts of one. */
export interface FileBounds {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly id: Buffer;
  readonly keys: FileKeys;
  readonly openedAtMs: number;
  sequence: number;
  bytes: number;
}

/** Appends frames to files of one worker. One append at a time; a file that may end in half a frame is left alone. */
export class FrameFiles {
  readonly #place: RecordingPlace;
  #file: OpenFile | undefined = undefined;

  constructor(place: RecordingPlace) {
    this.#place = place;
  }

  /** Rejects with the system's error; then nothing of the frame stays, or the file is not used again. */
  async append(facts: FrameFacts, compressed: Uint8Array, bounds: FileBounds, nowMs: number): Promise<void> {
    const file = await this.#current(bounds, nowMs);
    const { key } = this.#place;
    const at = { keyId: key.id, fileId: file.id, sequence: file.sequence };
    const frame = sealFrame(at, facts, compressed, file.keys, randomBytes(NONCE_BYTES));
    try {
      await writeWhole(file.handle, frame, file.bytes);
    } catch (error) {
      await this.#takeBack(file);
      throw error;
    }
    file.sequence++;
    file.bytes += frame.length;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  /** The file that is written to. One that was deleted meanwhile takes no more: nobody would read it. */
  async #current({ maxBytes, maxAgeMs }: FileBounds, nowMs: number): Promise<OpenFile> {
    const file = this.#file;
    if (file !== undefined && file.bytes < maxBytes && nowMs - file.openedAtMs < maxAgeMs) {
      const { nlink } = await file.handle.stat();
      if (nlink > 0) return file;
    }
    await this.close();
    this.#file = await this.#open(nowMs);
    return this.#file;
  }

  async #open(nowMs: number): Promise<OpenFile> {
    const { dir, key } = this.#place;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const id = randomBytes(FILE_ID_BYTES);
    // Names sort by time; nothing hangs on it.
    const name = `${String(Math.floor(nowMs)).padStart(14, '0')}-${id.toString('hex', 0, 6)}${FILE_SUFFIX}`;
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const handle = await open(join(dir, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    return { handle, id, keys: fileKeysOf(key.key, id), openedAtMs: nowMs, sequence: 0, bytes: 0 };
  }

  async #takeBack(file: OpenFile): Promise<void> {
    try {
      await file.handle.truncate(file.bytes);
    } catch {
      await this.close().catch(() => {});
    }
  }
}

async function writeWhole(handle: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}
