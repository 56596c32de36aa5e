import type { StoredRollout } from './rollout-store.ts';
import { parseObject, textOf, wholeOf } from './rows.ts';

export const parseRollout = (row: Record<string, unknown>): StoredRollout => ({
  number: wholeOf(row.number),
  id: textOf(row.id),
  revision: textOf(row.revision),
  base: textOf(row.base),
  isOpen: wholeOf(row.is_open) === 1,
  startedAt: wholeOf(row.started_at),
  state: parseObject(row.state),
  version: wholeOf(row.version),
});
