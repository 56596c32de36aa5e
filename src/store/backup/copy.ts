import { existsSync } from 'node:fs';
import { type AuditLink, ChainCheck, GENESIS, nextLink } from '../audit-chain.ts';
import { textOf, wholeOf } from '../rows.ts';
import { type AuditHead, StoreError } from '../store.ts';
import type { Cell, StoreArchive, TakeRows } from './archive.ts';
import { type BackupEnd, type BackupPart, BackupWriter, readBackup } from './backup-file.ts';
import { type BackupTable, backupTable } from './tables.ts';

const ROWS_AT_ONCE = 500;
const BYTES_AT_ONCE = 4 * 2 ** 20;

/**
 * Copies a store into a new file, while it is in use. Rejects with StoreError: `conflict` where there is such a file,
 * `corrupt` where the audit was tampered with, which nothing could be restored from.
 */
export async function backUp(archive: StoreArchive, path: string, nowMs: number): Promise<BackupEnd> {
  if (existsSync(path)) throw new StoreError('conflict', 'there is a file of that name already');
  const writer = new BackupWriter(path, { createdAt: nowMs });
  const audit = new AuditCheck();
  try {
    await archive.read(async (table, rows) => {
      for (const row of rows) audit.take(table, row);
      writer.put(table, rows);
    });
    audit.end();
    return writer.end();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

export interface Restored extends BackupEnd {
  /** When the backup was made, in milliseconds since the epoch. */
  readonly createdAt: number;
}

/** Looks through a backup: its checksum, its rows and its audit. Rejects with StoreError. */
export async function checkBackup(path: string): Promise<Restored> {
  const audit = new AuditCheck();
  let createdAt = 0;
  let end: BackupEnd | undefined;
  for await (const part of readBackup(path)) {
    if (part.kind === 'row') audit.take(part.table, part.row);
    if (part.kind === 'head') createdAt = part.head.createdAt;
    if (part.kind === 'end') end = part.end;
  }
  audit.end();
  // The last part of a sound one.
  if (end === undefined) throw new StoreError('corrupt', 'the backup has no end');
  return { createdAt, ...end };
}

export interface RestoreOptions {
  /** Whether what the store holds may be replaced. */
  readonly replace: boolean;
  readonly nowMs: number;
  /** Who restores, for the audit. */
  readonly actor: string;
}

/**
 * Puts a backup into a store, all of it or nothing, and notes that in its audit. The file is looked through before anything
 * is written. Rejects with StoreError.
 */
export async function restore(
  archive: StoreArchive,
  path: string,
  { replace, nowMs, actor }: RestoreOptions,
): Promise<Restored> {
  const checked = await checkBackup(path);
  await archive.write(
    async (put) => {
      const audit = new AuditCheck();
      const end = await putAll(path, audit, put);
      // Between the two readings the file may have become another.
      if (end?.sha256 !== checked.sha256) throw new StoreError('corrupt', 'the backup has changed meanwhile');
      const detail = { backup: checked.sha256, madeAt: new Date(checked.createdAt).toISOString(), replace };
      const entry = { at: nowMs, actor, action: 'store.restore', subject: 'store', detail };
      await putAudit(nextLink(audit.end(), entry), put);
    },
    { replace },
  );
  return checked;
}

async function putAll(path: string, audit: AuditCheck, put: TakeRows): Promise<BackupEnd | undefined> {
  const batch = new Batch(put);
  let end: BackupEnd | undefined;
  for await (const part of readBackup(path)) {
    if (part.kind === 'end') end = part.end;
    if (part.kind !== 'row') continue;
    audit.take(part.table, part.row);
    // The head comes last: one entry more is on its way.
    if (part.table.name !== 'audit_head') await batch.add(part);
  }
  await batch.flush();
  return end;
}

async function putAudit({ number, entry, hash }: AuditLink, put: TakeRows): Promise<void> {
  await put(backupTable('audit'), [[number, entry, hash]]);
  await put(backupTable('audit_head'), [[1, number, hash]]);
}

/** Rows of one table, put together. */
class Batch {
  readonly #put: TakeRows;
  #table: BackupTable | undefined;
  #rows: (readonly Cell[])[] = [];
  #bytes = 0;

  constructor(put: TakeRows) {
    this.#put = put;
  }

  async add({ table, row, bytes }: Extract<BackupPart, { kind: 'row' }>): Promise<void> {
    const isFull = this.#rows.length >= ROWS_AT_ONCE || this.#bytes >= BYTES_AT_ONCE;
    if (isFull || this.#table !== table) await this.flush();
    this.#table = table;
    this.#rows.push(row);
    this.#bytes += bytes;
  }

  async flush(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    if (this.#table !== undefined && rows.length > 0) await this.#put(this.#table, rows);
  }
}

/** Follows the audit through the rows of a copy. */
class AuditCheck {
  readonly #check = new ChainCheck();
  #kept: AuditHead = GENESIS;

  /** @throws StoreError `corrupt` */
  take({ name }: BackupTable, row: readonly Cell[]): void {
    if (name === 'audit_head') this.#kept = { number: wholeOf(row[1]), hash: textOf(row[2]) };
    if (name !== 'audit') return;
    const link = { number: wholeOf(row[0]), entry: textOf(row[1]), hash: textOf(row[2]) };
    const fault = this.#check.take(link);
    if (fault !== undefined && !fault.intact) throw tampered(fault.number, fault.fault);
  }

  /** The head of a whole chain. @throws StoreError `corrupt` */
  end(): AuditHead {
    const verified = this.#check.end(this.#kept);
    if (verified.intact) return verified.head;
    throw tampered(verified.number, verified.fault);
  }
}

const tampered = (number: number, fault: string): StoreError =>
  new StoreError('corrupt', `the audit is not as it was written: entry ${number} (${fault})`);
