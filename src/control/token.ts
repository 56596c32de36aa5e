import { createHash, timingSafeEqual } from 'node:crypto';
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
import { join } from 'node:path';
import { ConfigError } from '../errors.ts';

/** What the admin API asks of a token; the token itself is not kept. */
export interface AdminToken {
  /** The file it lies in: the only thing that may be printed. */
  readonly path: string;
  /** Whether this start made it. */
  readonly isNew: boolean;
  /** Constant time in the token. */
  matches(presented: string): boolean;
}

const FILE_NAME = 'admin-token';
const TOKEN_BYTES = 32;
const TOKEN_FORM = /^[\w-]{43,128}$/;
const OPEN_TO_OTHERS = 0o077;

/**
 * Reads `DATA/admin-token`, or makes it at the first start: 32 random bytes as base64url, mode 0600.
 * @param randomBytes from a cryptographic source
 * @throws ConfigError when the file can be read or changed by others, is not ours, or holds no token
 */
export function loadAdminToken(dataDir: string, randomBytes: (size: number) => Uint8Array): AdminToken {
  const path = join(dataDir, FILE_NAME);
  try {
    const isNew = createOnce(path, randomBytes);
    return tokenOf(path, isNew, readPrivate(path));
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([{ path: '', message: `cannot use the admin token ${path}: ${reason}` }], {
      cause,
    });
  }
}

/**
 * The token as a command on this machine presents it.
 * @throws ConfigError when there is none, it may not be read, or what lies there is no token
 */
export function readAdminToken(dataDir: string): string {
  const path = join(dataDir, FILE_NAME);
  const token = readToken(path);
  if (TOKEN_FORM.test(token)) return token;
  throw ConfigError.at('', `${path} holds no admin token`);
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOENT') {
      const fix = 'name the data folder of the running gateway: --data DIR, or set SALLYPORT_ADMIN_TOKEN';
      throw ConfigError.at('', `there is no admin token at ${path}`, fix);
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw ConfigError.at('', `cannot read the admin token: ${reason}`, 'run as the user of the gateway');
  }
}

/** A link appears whole or not at all, so that of two programs starting at once one token is kept. */
function createOnce(path: string, randomBytes: (size: number) => Uint8Array): boolean {
  const bytes = randomBytes(TOKEN_BYTES);
  const temporary = `${path}.${Buffer.from(randomBytes(8)).toString('hex')}.tmp`;
  writeSynced(temporary, `${Buffer.from(bytes).toString('base64url')}\n`);
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

/** A link would let who owns its directory choose the token; looser permissions would let others read it. */
function readPrivate(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { mode, uid } = fstatSync(fd);
    if ((mode & OPEN_TO_OTHERS) !== 0) {
      throw refusal(
        path,
        'others may read or change it',
        `run: chmod 600 ${path}, or delete it to have a new one made`,
      );
    }
    const self = process.geteuid?.();
    if (self !== undefined && uid !== self) throw refusal(path, 'it belongs to another user');
    return readFileSync(fd, 'utf8').trim();
  } finally {
    closeSync(fd);
  }
}

const refusal = (path: string, reason: string, suggestion?: string): ConfigError =>
  ConfigError.at('', `the admin token ${path} is refused: ${reason}`, suggestion);

function tokenOf(path: string, isNew: boolean, token: string): AdminToken {
  if (!TOKEN_FORM.test(token)) {
    throw refusal(
      path,
      'it holds no token of at least 43 base64url characters',
      'delete it to have a new one made',
    );
  }
  const expected = digest(token);
  return { path, isNew, matches: (presented) => timingSafeEqual(digest(presented), expected) };
}

/** Of equal length whatever was presented, as `timingSafeEqual` needs. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
