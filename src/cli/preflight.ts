import { closeSync, openSync } from 'node:fs';
import { ConfigError } from '../errors.ts';
import { ensureDataDirectory } from '../store/index.ts';
import type { RunOptions } from './run.ts';

/** Sees that what the workers open at once can be opened. Throws ConfigError. */
export function preflight({ data, records }: RunOptions): void {
  ensureDataDirectory(data);
  if (records === 'stdout' || records === 'none') return;
  try {
    closeSync(openSync(records, 'a', 0o600));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw ConfigError.at(
      '',
      `cannot write records: ${reason}`,
      'name a file this user may write: --records FILE',
    );
  }
}
