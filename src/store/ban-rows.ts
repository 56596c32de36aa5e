import type { Ban, ImposedBan } from '../contract/index.ts';
import { textOf, wholeOf } from './rows.ts';

/** What a ban of a policy is of: one place in the table. */
export const placeOf = ({ shadow, network, caller }: ImposedBan): [number, string, string] =>
  network === undefined ? [Number(shadow), 'caller', caller] : [Number(shadow), 'network', network];

export function parseImposed(row: Record<string, unknown>): ImposedBan {
  const banned = textOf(row.banned);
  return {
    id: textOf(row.id),
    ...(row.kind === 'network' ? { network: banned } : { caller: banned }),
    sinceMs: wholeOf(row.since),
    untilMs: wholeOf(row.until),
    forgetMs: wholeOf(row.forget),
    reason: textOf(row.reason),
    by: textOf(row.imposed_by),
    strike: wholeOf(row.strike),
    round: wholeOf(row.round),
    shadow: wholeOf(row.in_shadow) === 1,
  };
}

export const parseBan = (row: Record<string, unknown>): Ban => ({
  id: textOf(row.id),
  network: textOf(row.network),
  sinceMs: wholeOf(row.since),
  untilMs: wholeOf(row.until),
  reason: textOf(row.reason),
  by: textOf(row.banned_by),
});
