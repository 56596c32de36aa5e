import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../errors.ts';
import { makeOnce, readPrivate } from './private-file.ts';

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

/**
 * Reads `DATA/admin-token`, or makes it at the first start: 32 random bytes as base64url, mode 0600.
 * @param randomBytes from a cryptographic source
 * @throws ConfigError when the file can be read or changed by others, is not ours, or holds no token
 */
export function loadAdminToken(dataDir: string, randomBytes: (size: number) => Uint8Array): AdminToken {
  const path = join(dataDir, FILE_NAME);
  try {
    const token = Buffer.from(randomBytes(TOKEN_BYTES)).toString('base64url');
    const isNew = makeOnce(path, `${token}\n`, randomBytes);
    return tokenOf(path, isNew, readPrivate(path, 'the admin token'));
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

function tokenOf(path: string, isNew: boolean, token: string): AdminToken {
  if (!TOKEN_FORM.test(token)) {
    const problem = 'it holds no token of at least 43 base64url characters';
    throw ConfigError.at(
      '',
      `the admin token ${path} is refused: ${problem}`,
      'delete it to have a new one made',
    );
  }
  const expected = digest(token);
  return { path, isNew, matches: (presented) => timingSafeEqual(digest(presented), expected) };
}

/** Of equal length whatever was presented, as `timingSafeEqual` needs. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
