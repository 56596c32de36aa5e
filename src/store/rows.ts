import {
  type RevisionSummary,
  type StoredActivation,
  type StoredAuditEntry,
  type StoredRevision,
  StoreError,
} from './store.ts';

/** What a database gives back is checked like any input: it may be damaged, or written by something else. */
type Row = Record<string, unknown>;

const corrupt = (what: string): StoreError =>
  new StoreError('corrupt', `the store holds an unreadable ${what}`);

export function textOf(value: unknown): string {
  if (typeof value !== 'string') throw corrupt('text');
  return value;
}

export function wholeOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw corrupt('number');
  return value;
}

export function bytesOf(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw corrupt('content');
  return value;
}

export const parseSummary = (row: Row): RevisionSummary => ({
  number: wholeOf(row.number),
  id: textOf(row.id),
  createdAt: wholeOf(row.created_at),
  author: textOf(row.author),
  reason: textOf(row.reason),
});

export function parseRevision(row: Row): StoredRevision {
  const files = Object.entries(parseObject(row.files)).map(([path, text]) => [path, textOf(text)]);
  return { ...parseSummary(row), document: textOf(row.document), files: Object.fromEntries(files) };
}

export const parseActivation = (row: Row): StoredActivation => ({
  number: wholeOf(row.number),
  id: textOf(row.revision),
  at: wholeOf(row.at),
  how: row.how === 'rollback' ? 'rollback' : 'publish',
});

export function parseAudit(row: Row): StoredAuditEntry {
  const entry = parseObject(row.entry);
  const detail = Object.entries(asObject(entry.detail)).map(([name, value]) => [name, plainOf(value)]);
  return {
    number: wholeOf(row.number),
    hash: textOf(row.hash),
    at: wholeOf(entry.at),
    actor: textOf(entry.actor),
    action: textOf(entry.action),
    subject: textOf(entry.subject),
    detail: Object.fromEntries(detail),
  };
}

function plainOf(value: unknown): string | number | boolean | null {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  return textOf(value);
}

export function parseObject(text: unknown): Row {
  try {
    return asObject(JSON.parse(textOf(text)));
  } catch {
    throw corrupt('entry');
  }
}

function asObject(value: unknown): Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw corrupt('entry');
  return { ...value };
}
