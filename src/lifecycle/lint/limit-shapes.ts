import { type DocumentAttachment, type DocumentPath, listOf, memberOf, textOf } from '../../config/index.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { parseDuration } from '../../lib/duration.ts';

const DAY_MS = 86_400_000;

/** A limit over time, whichever policy has it. */
export interface LimitShape {
  readonly attachment: DocumentAttachment;
  /** Of `limit`. */
  readonly path: DocumentPath;
  readonly limit: number;
  readonly windowMs: number;
  /** `rate`: gives back evenly, after a burst; `window`: counts in windows. */
  readonly kind: 'rate' | 'window';
  /** At once; of a `window` the limit itself. */
  readonly burst: number;
  /** Whether windows begin by the clock, at multiples of their length. */
  readonly byClock: boolean;
  /** Whether it admits never more, and at times less: what it lets through is bounded, when it refuses is not known. */
  readonly adapts: boolean;
  /** For people: `10 per 1m`. */
  readonly text: string;
}

/** The limits of an attachment; empty for one that has none over time. */
export function limitsOf(attachment: DocumentAttachment): readonly LimitShape[] {
  const { definition, config, path } = attachment;
  const place = [...path, definition.name];
  switch (definition.name) {
    case 'rate-limit': {
      const several = listOf(memberOf(config, 'limits'));
      if (several.length === 0) return rate(attachment, config, place);
      return several.flatMap((one, i) => rate(attachment, one, [...place, 'limits', i]));
    }
    case 'adaptive-limit':
      return rate(attachment, config, place).map((one) => ({ ...one, adapts: true }));
    case 'quota':
      return quota(attachment, config, place);
    default:
      return [];
  }
}

function rate(attachment: DocumentAttachment, config: unknown, path: DocumentPath): readonly LimitShape[] {
  const limit = memberOf(config, 'limit');
  const window = textOf(memberOf(config, 'window')) ?? '';
  const windowMs = parseDuration(window);
  if (typeof limit !== 'number' || windowMs === undefined || windowMs === 0) return [];
  const algorithm = textOf(memberOf(config, 'algorithm')) ?? 'gcra';
  const kind = algorithm.endsWith('window') ? 'window' : 'rate';
  const burst = memberOf(config, 'burst');
  return [
    {
      attachment,
      path: [...path, 'limit'],
      limit,
      windowMs,
      kind,
      burst: kind === 'rate' && typeof burst === 'number' ? burst : limit,
      byClock: algorithm === 'fixed-window',
      adapts: false,
      text: `${limit} per ${window}`,
    },
  ];
}

/** The longest that a calendar has. */
const LONGEST_MS: Readonly<Record<string, number>> = Object.freeze({
  // A day in which clocks are put back has 25 hours.
  day: 25 * 3_600_000,
  week: 7 * DAY_MS + 3_600_000,
  month: 31 * DAY_MS + 3_600_000,
  year: 366 * DAY_MS,
});

function quota(attachment: DocumentAttachment, config: unknown, path: DocumentPath): readonly LimitShape[] {
  const limit = memberOf(config, 'limit');
  const [per, window] = [textOf(memberOf(config, 'per')), textOf(memberOf(config, 'window'))];
  const windowMs = per === undefined ? parseDuration(window ?? '') : LONGEST_MS[per];
  if (typeof limit !== 'number' || windowMs === undefined || windowMs === 0) return [];
  return [
    {
      attachment,
      path: [...path, 'limit'],
      limit,
      windowMs,
      kind: 'window',
      burst: limit,
      byClock: true,
      adapts: false,
      text: `${limit} per ${per ?? window}`,
    },
  ];
}

/** The most that a limit lets through in any time of that length. Above the truth where it cannot be known exactly. */
function mostWithin({ kind, burst, limit, windowMs }: LimitShape, ms: number): number {
  if (kind === 'rate') return burst + Math.floor((limit * ms) / windowMs);
  // Of a time as long as a window two may have a part, of one that is longer one more for each.
  return limit * (Math.floor(ms / windowMs) + 2);
}

/** Whether a limit can never refuse, whatever comes, since nothing comes to it but what another lets through. */
export function neverRefuses(limit: LimitShape, other: LimitShape): boolean {
  if (limit.adapts) return false;
  if (limit.kind === 'rate') {
    const isSlower = other.limit / other.windowMs <= limit.limit / limit.windowMs;
    return isSlower && mostWithin(other, 0) <= limit.burst;
  }
  const isAligned = limit.byClock && other.byClock && limit.windowMs % other.windowMs === 0;
  if (isAligned) return (other.limit * limit.windowMs) / other.windowMs <= limit.limit;
  const most = mostWithin(other, limit.windowMs);
  // A sliding window adds a share of the one before it to its own.
  return limit.byClock ? most <= limit.limit : 2 * most <= limit.limit;
}

/** Whose requests are counted together, in words that are equal where the keys are. */
export function keyOf({ attachment }: LimitShape, hasIdentity: boolean): string {
  const by = memberOf(attachment.config, 'by');
  if (by !== undefined) return canonicalJson(by);
  return canonicalJson(hasIdentity ? 'consumer' : 'address');
}

/** Whether all requests that one key counts together are counted together by the other too. */
export function isWithin(key: string, wider: string): boolean {
  if (key === wider || wider === '"route"') return true;
  return key === '"credential"' && wider === '"consumer"';
}

/** What one request costs; equal texts for equal costs. */
export const costOf = ({ attachment }: LimitShape): string =>
  canonicalJson(memberOf(attachment.config, 'cost') ?? 1);

/** Whether more than the limit may go through: what was counted is given back, or another window's rest is added. */
export const givesBack = ({ attachment }: LimitShape): boolean =>
  ['count', 'spillOver', 'carryOver'].some((key) => memberOf(attachment.config, key) !== undefined);
