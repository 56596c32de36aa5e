import { StoreError } from '../store.ts';

/** SQLSTATE classes and codes, as PostgreSQL's appendix A lists them. */
const UNDEFINED_TABLE = '42P01';
const UNDEFINED_COLUMN = '42703';
const INVALID_SCHEMA = '3F000';
const DATA_EXCEPTION = '22';
const CONSTRAINT = '23';
const INTERNAL = 'XX';

/** What Postgres, the driver or the network threw. */
export function toStoreError(cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const state = stateOf(cause);
  const message = cause instanceof Error && cause.message !== '' ? cause.message : codeOf(cause);
  if (state.startsWith(CONSTRAINT))
    return new StoreError('conflict', 'it is in the store already', { cause });
  if (state.startsWith(DATA_EXCEPTION))
    return new StoreError('conflict', 'the store cannot hold it', { cause });
  return new StoreError(isCorrupt(state) ? 'corrupt' : 'unavailable', `the store failed: ${message}`, {
    cause,
  });
}

/** A statement of ours that does not fit the tables means that these are not ours. */
const isCorrupt = (state: string): boolean =>
  state === UNDEFINED_TABLE ||
  state === UNDEFINED_COLUMN ||
  state === INVALID_SCHEMA ||
  (state.startsWith(INTERNAL) && state !== 'XX000');

/** Five characters; '' for what did not come from the server. */
function stateOf(cause: unknown): string {
  if (!(cause instanceof Error && 'severity' in cause)) return '';
  return codeOf(cause);
}

const codeOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'unknown';
