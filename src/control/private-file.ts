import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { ConfigError } from '../errors.ts';

const OPEN_TO_OTHERS = 0o077;

/**
 * Makes a file of mode 0600 where there is none. A link appears whole or not at all, so that of two programs
 * starting at once one file is kept. False: there was one.
 * @param randomBytes from a cryptographic source
 */
export function makeOnce(path: string, text: string, randomBytes: (size: number) => Uint8Array): boolean {
  const temporary = `${path}.${Buffer.from(randomBytes(8)).toString('hex')}.tmp`;
  writeSynced(temporary, text);
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeSynced(path: string, text: string): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads a file that is its owner's alone. A link would let who owns its directory choose the content; looser
 * permissions would let others read it.
 * @param what names it in messages, e.g. "the admin token"
 * @throws ConfigError for such a file; the system's error for one that cannot be read
 */
export function readPrivate(path: string, what: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { mode, uid } = fstatSync(fd);
    if ((mode & OPEN_TO_OTHERS) !== 0) {
      throw refusal(what, path, 'others may read or change it', `run: chmod 600 ${path}`);
    }
    const self = process.geteuid?.();
    if (self !== undefined && uid !== self) throw refusal(what, path, 'it belongs to another user');
    return readFileSync(fd, 'utf8').trim();
  } finally {
    closeSync(fd);
  }
}

const refusal = (what: string, path: string, reason: string, suggestion?: string): ConfigError =>
  ConfigError.at('', `${what} ${path} is refused: ${reason}`, suggestion);
