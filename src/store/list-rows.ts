import type { HeldVersion, ListState, ListVersion } from './list-store.ts';
import { parseObject, textOf, wholeOf } from './rows.ts';
import { StoreError } from './store.ts';

type Row = Record<string, unknown>;

export const parseListVersion = (row: Row): ListVersion => ({
  list: textOf(row.list),
  id: textOf(row.id),
  entries: wholeOf(row.entries),
  source: textOf(row.source),
  createdAt: wholeOf(row.created_at),
});

/** What is undefined is left out of JSON. */
export function parseListState(row: Row): ListState {
  const state = parseObject(row.state);
  if (typeof state.pinned !== 'boolean')
    throw new StoreError('corrupt', 'the store holds an unreadable list');
  return {
    list: textOf(row.list),
    current: orNone(state.current, textOf),
    pinned: state.pinned,
    fetched: orNone(state.fetched, textOf),
    etag: orNone(state.etag, textOf),
    lastModified: orNone(state.lastModified, textOf),
    source: textOf(state.source),
    refreshedAt: orNone(state.refreshedAt, wholeOf),
    held: orNone(state.held, parseHeld),
    rejected: orNone(state.rejected, textOf),
  };
}

function parseHeld(value: unknown): HeldVersion {
  const { version, at, reasons } = parseObject(JSON.stringify(value));
  if (!Array.isArray(reasons)) throw new StoreError('corrupt', 'the store holds an unreadable list');
  return { version: textOf(version), at: wholeOf(at), reasons: reasons.map(textOf) };
}

const orNone = <T>(value: unknown, parse: (value: unknown) => T): T | undefined =>
  value === undefined ? undefined : parse(value);
