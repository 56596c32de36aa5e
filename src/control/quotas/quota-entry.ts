import { hash } from 'node:crypto';
import { REMEMBERED_WINDOWS } from '../../contract/index.ts';
import type { QuotaNote, QuotaUsage } from '../../state/index.ts';
import type { QuotaUsageEntry } from '../../store/index.ts';

const ID_DIGITS = 24;

/** Of a quota and a caller. */
export const idOf = (scope: string, key: string): string =>
  hash('sha256', nameOf(scope, key), 'hex').slice(0, ID_DIGITS);

/** Unambiguous, whatever is in them. */
export const nameOf = (scope: string, key: string): string => `${scope.length} ${scope} ${key}`;

/** What is written down of a quota that stands at `usage`; undefined of one that says nothing of itself. */
export function entryOf({ scope, key, rule }: QuotaNote, usage: QuotaUsage): QuotaUsageEntry | undefined {
  const { about, limit, carryOver, unproven = false } = rule;
  if (about === undefined) return undefined;
  const lengthMs = rule.endMs - rule.startMs;
  // After the clock was set back a later window than the rule's may be counted in.
  const endMs = rule.endMs + usage.startMs - rule.startMs;
  const keptUntilMs = carryOver > 0 ? endMs + REMEMBERED_WINDOWS * lengthMs : endMs;
  return {
    id: idOf(scope, key),
    scope,
    key,
    ...about,
    unproven,
    limit,
    endMs,
    ...usage,
    carryOver,
    keptUntilMs,
  };
}
