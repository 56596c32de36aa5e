import { LEVEL, PREVIOUS, TIME } from './cells.ts';
import type { CounterNames } from './counter-names.ts';
import { type CounterTable, NONE } from './counter-table.ts';
import { carriedOver, setFixedWindow } from './fixed-window.ts';

/** What a quota's counter stands at. */
export interface QuotaUsage {
  /** When the window began that it counts in, in milliseconds since the epoch. It may have ended since. */
  readonly startMs: number;
  readonly used: number;
  /** What was carried over into it, on top of the limit. */
  readonly carried: number;
}

/** What a quota's counter is set to. */
export interface RestoredQuota extends QuotaUsage {
  readonly endMs: number;
  /** The rule's: with more than 0 it is remembered beyond its window, for those that what is left may be carried into. */
  readonly carryOver: number;
  /** As the rule has it. */
  readonly unproven: boolean;
}

/** What the quota stands at, or undefined when it was never charged, or so long ago that it was forgotten. */
export function readQuota(
  table: CounterTable,
  names: CounterNames,
  scope: string,
  key: string,
): QuotaUsage | undefined {
  names.identifyQuota(scope, key);
  const { low, high } = names;
  const bucket = table.bucketOf(low);
  table.lock(bucket);
  const at = table.held(bucket, low, high);
  const { cells } = table;
  const usage =
    at === NONE || cells[at + TIME] === 0
      ? undefined
      : { startMs: cells[at + TIME], used: cells[at + LEVEL], carried: carriedOver(cells, at) };
  table.unlock(bucket);
  return usage;
}

/** Sets the quota, whatever it stood at. False when it finds no place. */
export function restoreQuota(
  table: CounterTable,
  names: CounterNames,
  scope: string,
  key: string,
  quota: RestoredQuota,
  nowMs: number,
): boolean {
  names.identifyQuota(scope, key);
  const { low, high } = names;
  const bucket = table.bucketOf(low);
  table.lock(bucket);
  const at = table.place(bucket, low, high, nowMs, quota.unproven);
  if (at !== NONE) setFixedWindow(table.cells, at, quota, quota.carryOver);
  table.unlock(bucket);
  return at !== NONE;
}

/** What of a quota is changed by hand, within its window. */
export type QuotaChange = Pick<QuotaUsage, 'used' | 'carried'>;

/** Changes the quota under its lock, so that no charge meanwhile is lost; undefined when nothing is known of it. */
export function changeQuota(
  table: CounterTable,
  names: CounterNames,
  scope: string,
  key: string,
  change: (usage: QuotaUsage) => QuotaChange,
): QuotaUsage | undefined {
  names.identifyQuota(scope, key);
  const { low, high } = names;
  const bucket = table.bucketOf(low);
  table.lock(bucket);
  try {
    const at = table.held(bucket, low, high);
    const { cells } = table;
    if (at === NONE || cells[at + TIME] === 0) return undefined;
    const startMs = cells[at + TIME];
    const { used, carried } = change({ startMs, used: cells[at + LEVEL], carried: carriedOver(cells, at) });
    cells[at + LEVEL] = used;
    cells[at + PREVIOUS] = carried;
    return { startMs, used, carried };
  } finally {
    table.unlock(bucket);
  }
}
