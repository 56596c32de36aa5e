import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { ConfigError } from '../errors.ts';

const WRITABLE_BY_OTHERS = 0o022;

/**
 * Makes the data directory (mode 0700) where it is missing. One that others may write to is refused: they
 * could replace what is in it, the admin token included.
 * @throws ConfigError
 */
export function ensureDataDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([{ path: '', message: `cannot make the data directory: ${reason}` }], { cause });
  }
  const { mode } = statSync(path);
  if ((mode & WRITABLE_BY_OTHERS) === 0) return;
  throw ConfigError.at('', `others may write to the data directory ${path}`, `run: chmod 700 ${path}`);
}

/** Makes the file where it is missing, and lets only its owner at it. */
export function ensurePrivateFile(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}
