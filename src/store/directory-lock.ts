import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ConfigError } from '../errors.ts';
import { StoreError } from './store.ts';

export interface DirectoryLock {
  /** For another to hold it; the end of the process, however it comes, does the same. */
  release(): void;
}

const SQLITE_BUSY = 5;

/**
 * Holds the data directory for this process: two gateways would overwrite each other's last good revision. The lock
 * is a transaction that is never ended, on a database of its own. So it is the system that keeps it, and lets go of
 * it with the process that holds it: no file is left that names a process which is gone, or another by now.
 * @throws ConfigError when another process holds it; StoreError `unavailable` when it cannot be locked at all
 */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, 'lock.db');
  const holder = join(directory, 'lock.pid');
  const database = openLocked(path, () => heldBy(holder, directory));
  try {
    writeFileSync(holder, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // Only the message of a second gateway would be the better for it.
  }
  return { release: () => database.close() };
}

function openLocked(path: string, held: () => ConfigError): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    makePrivate(path);
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('BEGIN IMMEDIATE');
    return database;
  } catch (cause) {
    database?.close();
    if (isBusy(cause)) throw held();
    throw new StoreError('unavailable', 'the data directory cannot be locked', { cause });
  }
}

/** One that is there is not opened: to close it again would give up what this process has locked of it. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

const isBusy = (cause: unknown): boolean =>
  cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY;

function heldBy(holder: string, directory: string): ConfigError {
  return ConfigError.at(
    '',
    `another gateway${pidIn(holder)} uses the data directory ${directory}`,
    'end that one, or give this one its own folder: --data DIR',
  );
}

function pidIn(holder: string): string {
  try {
    return ` (process ${Number.parseInt(readFileSync(holder, 'utf8'), 10)})`;
  } catch {
    return '';
  }
}
