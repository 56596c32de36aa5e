import type { StoredNode } from './node-table.ts';
import { parseObject, textOf, wholeOf } from './rows.ts';

/** A store whose clock was set back is not to tell of the future. */
export const parseNode = (row: Record<string, unknown>): StoredNode => ({
  id: textOf(row.id),
  run: textOf(row.run),
  name: textOf(row.name),
  version: textOf(row.version),
  startedAt: wholeOf(row.started_at),
  state: parseObject(row.state),
  silentMs: Math.max(0, wholeOf(row.silent_ms)),
});
