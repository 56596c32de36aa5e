import { createHash } from 'node:crypto';
import { closeSync, createReadStream, fsyncSync, linkSync, openSync, rmSync, writeSync } from 'node:fs';
import { StoreError } from '../store.ts';
import type { Cell } from './archive.ts';
import { BACKUP_TABLES, type BackupTable, type Column } from './tables.ts';

const FORMAT = 'sallyport-backup';
const VERSION = 1;
/** Text of lines that is written at once. */
const CHUNK = 1 << 20;
/** A document or a list is in one line. */
const LONGEST_LINE = 512 * 2 ** 20;

export interface BackupHead {
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** What a backup ends with. */
export interface BackupEnd {
  readonly rows: number;
  /** Of all before the last line, hex. */
  readonly sha256: string;
}

/**
 * Writes a backup: a line of JSON each for the head, the columns of a table, each row of it, and the end, which holds a
 * checksum of all before. The file (mode 0600) is there under its name when it is whole, or not at all.
 */
export class BackupWriter {
  readonly #path: string;
  readonly #temporary: string;
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  #waiting = '';
  #table: BackupTable | undefined;
  #rows = 0;

  /** @throws StoreError `unavailable` */
  constructor(path: string, { createdAt }: BackupHead) {
    this.#path = path;
    this.#temporary = `${path}.${process.pid}.tmp`;
    this.#fd = written(() => {
      rmSync(this.#temporary, { force: true });
      return openSync(this.#temporary, 'wx', 0o600);
    });
    this.#line({ format: FORMAT, version: VERSION, createdAt });
  }

  put(table: BackupTable, rows: readonly (readonly Cell[])[]): void {
    if (this.#table !== table) {
      this.#table = table;
      this.#line({ table: table.name, columns: table.columns.map(({ name }) => name) });
    }
    for (const row of rows) {
      this.#line(
        row.map((cell) => (cell instanceof Uint8Array ? Buffer.from(cell).toString('base64') : cell)),
      );
    }
    this.#rows += rows.length;
  }

  /** Gives the file its name. @throws StoreError `conflict` where there is one of that name, `unavailable` */
  end(): BackupEnd {
    this.#flush();
    const end = { rows: this.#rows, sha256: this.#hash.copy().digest('hex') };
    this.#line({ end });
    this.#flush();
    written(() => {
      fsyncSync(this.#fd);
      // Unlike a rename it takes nobody's place.
      linkSync(this.#temporary, this.#path);
      rmSync(this.#temporary);
    });
    closeSync(this.#fd);
    return end;
  }

  /** Leaves nothing behind. */
  abandon(): void {
    closeSync(this.#fd);
    rmSync(this.#temporary, { force: true });
  }

  #line(value: object): void {
    this.#waiting += `${JSON.stringify(value)}\n`;
    if (this.#waiting.length >= CHUNK) this.#flush();
  }

  #flush(): void {
    const bytes = Buffer.from(this.#waiting);
    this.#waiting = '';
    this.#hash.update(bytes);
    written(() => {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    });
  }
}

export type BackupPart =
  | { readonly kind: 'head'; readonly head: BackupHead }
  | {
      readonly kind: 'row';
      readonly table: BackupTable;
      readonly row: readonly Cell[];
      readonly bytes: number;
    }
  | { readonly kind: 'end'; readonly end: BackupEnd };

/**
 * Reads a backup, part by part. The end comes only if all before it is as it was written: until then nothing of it is to be
 * believed. Rejects with StoreError: `corrupt`, `schema-too-new`, `unavailable`.
 */
export async function* readBackup(path: string): AsyncIterable<BackupPart> {
  const hash = createHash('sha256');
  let shape: { readonly table: BackupTable; readonly places: readonly (number | undefined)[] } | undefined;
  let [rows, hasHead, hasEnd] = [0, false, false];
  for await (const line of lines(path)) {
    if (hasEnd) throw damaged('goes on behind its end');
    const value = parse(line);
    if (!hasHead) {
      hasHead = true;
      hash.update(line);
      yield { kind: 'head', head: headOf(value) };
    } else if (Array.isArray(value)) {
      if (shape === undefined) throw damaged('has a row of no table');
      hash.update(line);
      rows++;
      yield { kind: 'row', table: shape.table, row: rowOf(shape, value), bytes: line.length };
    } else if ('table' in value) {
      hash.update(line);
      shape = shapeOf(value);
    } else {
      hasEnd = true;
      const end = endOf(value);
      if (end.rows !== rows || end.sha256 !== hash.digest('hex')) throw damaged('is not as it was written');
      yield { kind: 'end', end };
    }
  }
  if (!hasEnd) throw damaged('ends in the middle');
}

/** With their ends. */
async function* lines(path: string): AsyncIterable<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) {
      let rest: Buffer = chunk;
      for (let at = rest.indexOf(10); at !== -1; at = rest.indexOf(10)) {
        yield Buffer.concat([...parts, rest.subarray(0, at + 1)]);
        rest = rest.subarray(at + 1);
        parts = [];
        length = 0;
      }
      parts.push(rest);
      length += rest.length;
      if (length > LONGEST_LINE) throw damaged('has a line that is too long');
    }
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw unwritten('the backup cannot be read', cause);
  }
  if (length > 0) throw damaged('ends in the middle');
}

function headOf(value: object): BackupHead {
  if (!('format' in value) || value.format !== FORMAT) throw damaged('is none');
  if (!('version' in value) || typeof value.version !== 'number') throw damaged('has no version');
  if (value.version > VERSION) throw tooNew();
  if (!('createdAt' in value) || !isWhole(value.createdAt)) throw damaged('does not say when it was made');
  return { createdAt: value.createdAt };
}

function shapeOf(value: object) {
  const table = BACKUP_TABLES.find(({ name }) => 'table' in value && value.table === name);
  if (table === undefined) throw tooNew();
  const columns: unknown = 'columns' in value ? value.columns : undefined;
  if (!Array.isArray(columns)) throw damaged('has a table without columns');
  if (columns.some((name) => table.columns.every((known) => known.name !== name))) throw tooNew();
  const places = table.columns.map(({ name }) => {
    const place = columns.indexOf(name);
    return place === -1 ? undefined : place;
  });
  return { table, places };
}

function rowOf(
  { table, places }: { readonly table: BackupTable; readonly places: readonly (number | undefined)[] },
  values: readonly unknown[],
): readonly Cell[] {
  if (values.length !== places.filter((place) => place !== undefined).length)
    throw damaged('has a row of another table');
  return table.columns.map((column, i) => {
    const place = places[i];
    if (place !== undefined) return cellOf(column, values[place]);
    if (column.before === undefined) throw damaged(`lacks the column ${column.name} of ${table.name}`);
    return column.before;
  });
}

function cellOf({ name, type }: Column, value: unknown): Cell {
  if (value === null) return null;
  if (type === 'number' && isWhole(value)) return value;
  if (type === 'text' && typeof value === 'string') return value;
  if (type === 'bytes' && typeof value === 'string') {
    const bytes = Buffer.from(value, 'base64');
    if (bytes.toString('base64') === value) return new Uint8Array(bytes);
  }
  throw damaged(`has something else than ${type} in ${name}`);
}

function endOf(value: object): BackupEnd {
  const end: unknown = 'end' in value ? value.end : undefined;
  if (typeof end !== 'object' || end === null) throw damaged('has a line that says nothing');
  if (!('rows' in end && isWhole(end.rows) && 'sha256' in end && typeof end.sha256 === 'string')) {
    throw damaged('has no checksum');
  }
  return { rows: end.rows, sha256: end.sha256 };
}

const isWhole = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value);

function parse(line: Buffer): object {
  try {
    const value: unknown = JSON.parse(line.toString());
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Told below.
  }
  throw damaged('has a line that is none');
}

function written<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw unwritten('the backup cannot be written', cause);
  }
}

function unwritten(what: string, cause: unknown): StoreError {
  const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
  if (exists) return new StoreError('conflict', 'there is a file of that name already', { cause });
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StoreError('unavailable', `${what}: ${reason}`, { cause });
}

const damaged = (how: string): StoreError => new StoreError('corrupt', `the backup ${how}`);

const tooNew = (): StoreError =>
  new StoreError('schema-too-new', 'the backup was made by a newer program: restore it with that');
