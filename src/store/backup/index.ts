import { existsSync, renameSync } from 'node:fs';
import type { PostgresSettings } from '../postgres/index.ts';
import { StoreError } from '../store.ts';
import type { StoreArchive } from './archive.ts';
import type { BackupEnd } from './backup-file.ts';
import type { Restored, RestoreOptions } from './copy.ts';

export type { BackupEnd } from './backup-file.ts';
export type { Restored, RestoreOptions } from './copy.ts';

/** Where a store is: in Postgres or, without, in a file. */
export interface StorePlace {
  readonly path: string;
  readonly postgres: PostgresSettings | undefined;
}

/** Copies a store into a new file (mode 0600), while gateways use it. Rejects with StoreError. */
export async function backUpStore(place: StorePlace, file: string, nowMs: number): Promise<BackupEnd> {
  const { backUp } = await import('./copy.ts');
  return await closing(await openBackup(place), (archive) => backUp(archive, file, nowMs));
}

/**
 * Puts a backup of either kind of store into a store, all of it or nothing. The caller holds the lock of a data folder;
 * that no gateway uses a store in Postgres is seen to here. A file that is no database any more is moved aside where it may
 * be replaced. Rejects with StoreError.
 */
export async function restoreStore(
  place: StorePlace,
  file: string,
  options: RestoreOptions,
): Promise<Restored> {
  const { checkBackup, restore } = await import('./copy.ts');
  // Before a store is made, or moved.
  await checkBackup(file);
  const archive = await openRestore(
    place,
    options.replace ? () => moveAside(place.path, options.nowMs) : undefined,
  );
  return await closing(archive, (opened) => restore(opened, file, options));
}

async function closing<T>(archive: StoreArchive, work: (archive: StoreArchive) => Promise<T>): Promise<T> {
  try {
    return await work(archive);
  } finally {
    await archive.close();
  }
}

async function openBackup({ path, postgres }: StorePlace): Promise<StoreArchive> {
  if (postgres === undefined) return (await import('./sqlite-archive.ts')).openSqliteBackup(path);
  return await (await import('../postgres/archive.ts')).openPostgresBackup(postgres);
}

async function openRestore(
  { path, postgres }: StorePlace,
  onDamage: (() => void) | undefined,
): Promise<StoreArchive> {
  if (postgres !== undefined)
    return await (await import('../postgres/archive.ts')).openPostgresRestore(postgres);
  const { openSqliteRestore } = await import('./sqlite-archive.ts');
  try {
    return openSqliteRestore(path);
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'corrupt') || onDamage === undefined) throw error;
    onDamage();
    return openSqliteRestore(path);
  }
}

/** Its log first: that of one database must never lie beside another. */
function moveAside(path: string, nowMs: number): void {
  for (const suffix of ['-wal', '-shm', '']) {
    if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${path}.damaged-${nowMs}${suffix}`);
  }
}
