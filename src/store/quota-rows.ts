import type { QuotaUsageEntry } from './quota-usage-store.ts';
import { textOf, wholeOf } from './rows.ts';

export const parseUsage = (row: Record<string, unknown>): QuotaUsageEntry => ({
  id: textOf(row.id),
  scope: textOf(row.scope),
  key: textOf(row.key),
  attachment: textOf(row.attachment),
  name: textOf(row.name),
  by: textOf(row.keys_are),
  shadow: wholeOf(row.in_shadow) === 1,
  unproven: wholeOf(row.unproven) === 1,
  limit: wholeOf(row.most),
  startMs: wholeOf(row.started),
  endMs: wholeOf(row.ends),
  used: wholeOf(row.used),
  carried: wholeOf(row.carried),
  carryOver: wholeOf(row.carry_over),
  keptUntilMs: wholeOf(row.kept_until),
});
