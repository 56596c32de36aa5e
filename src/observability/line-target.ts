import {
  closeSync,
  constants,
  createWriteStream,
  fstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { ConfigError } from '../errors.ts';
import { NEWLINE } from './line-batch.ts';

/** A place that lines go to. */
export interface LineTarget {
  readonly stream: Writable;
  /** The most bytes that one write puts there in one piece, whoever else writes. */
  readonly atomicBytes: number;
  /** It is a file whose last line was not written whole when it was opened. */
  readonly endsMidLine: boolean;
  close(): void;
}

/** POSIX: a write to a pipe of at most PIPE_BUF (4096 on Linux) bytes is never torn. */
const PIPE_BYTES = 4096;
/** Linux holds the inode's lock for a whole appending write, so any size does; this one keeps memory small. */
const FILE_BYTES = 65536;
const STDOUT = 1;

/**
 * Opens `stdout` or the file `target` for appending, mode 0600 where it is made.
 *
 * Nothing here may block. A blocking write to a full pipe would hold a thread of the pool that all workers
 * share (name look-ups included), so a pipe is opened anew without blocking: the flag belongs to our own
 * description of it, not to the one our parent gave us.
 * @throws ConfigError when it cannot be opened
 */
export function openLineTarget(target: string): LineTarget {
  try {
    return target === 'stdout' ? openStdout() : openPath(target);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([{ path: '', message: `cannot write records: ${reason}` }], { cause });
  }
}

/** A socket (what systemd gives) cannot be opened anew, but the event loop waits for it as for any other. */
function openStdout(): LineTarget {
  const kind = fstatSync(STDOUT);
  if (kind.isFIFO()) return pipeTarget('/dev/fd/1');
  if (kind.isSocket()) return socketTarget(STDOUT);
  const stream = createWriteStream('', { fd: STDOUT, autoClose: false });
  const endsMidLine = kind.isFile() && isCutShort('/dev/fd/1');
  return { stream, atomicBytes: FILE_BYTES, endsMidLine, close: () => undefined };
}

function openPath(path: string): LineTarget {
  const kind = existing(path);
  if (kind?.isFIFO()) return pipeTarget(path);
  const stream = createWriteStream(path, { fd: openSync(path, 'a', 0o600) });
  const endsMidLine = kind?.isFile() === true && isCutShort(path);
  return { stream, atomicBytes: FILE_BYTES, endsMidLine, close: () => stream.destroy() };
}

/** Whether the file ends in the middle of a line. One that cannot be read may: an empty line does no harm. */
function isCutShort(path: string): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const { size } = fstatSync(fd);
    const last = Buffer.alloc(1);
    return size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE;
  } catch {
    return true;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const existing = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

function pipeTarget(path: string): LineTarget {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    return socketTarget(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Closing leaves stdout itself open: libuv never closes the standard descriptors. */
function socketTarget(fd: number): LineTarget {
  const stream = new Socket({ fd, readable: false, writable: true });
  stream.unref();
  return { stream, atomicBytes: PIPE_BYTES, endsMidLine: false, close: () => stream.destroy() };
}
