import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError } from '../errors.ts';
import { causeOf, fileKey } from './document-files.ts';

/** The bytes of a file in memory that threads share: a bundle carries them, nobody copies them. */
export interface FileBytes {
  readonly bytes: Uint8Array;
  /** SHA-256, 64 hex digits. */
  readonly hash: string;
}

/** Reads large files that are no text, relative to the document. Throws ConfigError. */
export interface BinaryFiles {
  read(reference: string): FileBytes;
}

export const NO_BINARIES: BinaryFiles = Object.freeze({
  read: (reference: string) => {
    throw ConfigError.at('', `${fileKey(reference)} cannot be read here`);
  },
});

/** A database of all cities of the world has 60 MB. */
const MAX_BYTES = 512 * 1024 * 1024;

/** What tells one content of a file from another without reading it. */
interface Remembered extends FileBytes {
  readonly stamp: string;
}

/** Files on disk. One that has not changed since is not read again: documents are loaded more often than databases. */
export function binariesOnDisk(folder: string): BinaryFiles {
  const remembered = new Map<string, Remembered>();
  return {
    read(reference) {
      const name = fileKey(reference);
      try {
        const file = readFile(resolve(folder, name), remembered.get(name));
        remembered.set(name, file);
        return { bytes: file.bytes, hash: file.hash };
      } catch (error) {
        if (error instanceof ConfigError) throw error;
        const message = `${name} cannot be read: ${causeOf(error)}`;
        throw ConfigError.at('', message, 'paths are relative to the document');
      }
    },
  };
}

function readFile(path: string, known: Remembered | undefined): Remembered {
  const fd = openSync(path, 'r');
  try {
    const about = fstatSync(fd, { bigint: true });
    if (!about.isFile()) throw ConfigError.at('', `${path} is not a regular file`);
    if (about.size > MAX_BYTES) throw ConfigError.at('', `${path} is larger than ${MAX_BYTES} bytes`);
    const stamp = `${about.dev}:${about.ino}:${about.size}:${about.mtimeNs}`;
    if (known?.stamp === stamp) return known;
    const bytes = new Uint8Array(new SharedArrayBuffer(Number(about.size)));
    let at = 0;
    while (at < bytes.length) {
      const read = readSync(fd, bytes, at, bytes.length - at, at);
      if (read === 0) throw ConfigError.at('', `${path} became shorter while it was read`);
      at += read;
    }
    return { bytes, hash: createHash('sha256').update(bytes).digest('hex'), stamp };
  } finally {
    closeSync(fd);
  }
}
