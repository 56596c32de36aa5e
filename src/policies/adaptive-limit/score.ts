import type { Sum } from '../../contract/index.ts';
import { type BaselineSettings, type BehaviourSettings, MINUTE_MS, type Settings } from './settings.ts';

/** What one request without fault gives back, in points. */
const CREDIT = 0.1;
/** At so many times the threshold the floor is reached. */
const FLOOR_AT = 2.5;
/** A caller that was there in fewer minutes than this has no history: nothing is unusual for it. */
export const MINUTES_OF_HISTORY = 10;

/** What is known of a caller: sums over the windows of the settings. */
export interface Conduct {
  /** Weighted misdeeds. */
  readonly points: number;
  /** Requests without fault, over the same window. */
  readonly faultless: number;
  /** Requests of the last minute, refused ones too. */
  readonly recent: number;
  /** So many a minute are usual, times the factor; infinite where nothing is known. */
  readonly allowance: number;
}

/** What tightened a limit. */
export type Cause = 'points' | 'rate';

/**
 * The limit that a caller has, from the floor to `limit`, whichever of two is tighter:
 *
 * - By points: `limit` up to the threshold T; from there each point takes the same share of what is left, so that at
 *   2.5 T the floor F is reached: limit × (F/limit)^((S − T) / 1.5 T), where S = points − 0.1 × requests without fault.
 *   It is the log odds of a sequential test (Wald 1945; for scans: Jung, Paxson, Berger, Balakrishnan, "Fast Portscan
 *   Detection Using Sequential Hypothesis Testing", 2004), over a window so that it is forgotten.
 * - By rate: who comes r times a minute where a is the most that is usual has a × a/r. A little above costs little; the
 *   more it floods, the less it gets.
 */
export function limitOf(conduct: Conduct, settings: Settings, behaviour: BehaviourSettings): number {
  const limit = Math.min(byPoints(conduct, settings, behaviour), byRate(conduct, settings));
  return Math.max(settings.floor, limit);
}

/** Which of the two it is. */
export const causeOf = (conduct: Conduct, settings: Settings, behaviour: BehaviourSettings): Cause =>
  byPoints(conduct, settings, behaviour) <= byRate(conduct, settings) ? 'points' : 'rate';

function byPoints(
  { points, faultless }: Conduct,
  { limit, floor }: Settings,
  { threshold }: BehaviourSettings,
): number {
  const score = points - CREDIT * faultless;
  if (score <= threshold) return limit;
  const way = Math.min(1, (score - threshold) / (threshold * (FLOOR_AT - 1)));
  return limit * (floor / limit) ** way;
}

function byRate({ recent, allowance }: Conduct, { limit, windowMs }: Settings): number {
  if (recent <= allowance) return limit;
  return Math.min(limit, ((allowance * windowMs) / MINUTE_MS) * (allowance / recent));
}

/**
 * A sum as far as it is known. While the shared store is lost: what came to this node since, and of what the store said
 * `agoMs` ago the part that still lies in the window. Else whoever is tightened would have its limit back with the loss.
 */
export const knownOf = ({ sum, lost }: Sum, before: number, agoMs: number, windowMs: number): number =>
  lost ? sum + before * Math.max(0, 1 - Math.max(0, agoMs) / windowMs) : sum;

/** The most that is usual a minute for who had `admitted` requests in `minutes` in which it was there. */
export function allowanceOf(
  admitted: number,
  minutes: number,
  { factor, minimum }: BaselineSettings,
): number {
  if (minutes < MINUTES_OF_HISTORY) return Number.POSITIVE_INFINITY;
  return Math.max(minimum, (factor * admitted) / minutes);
}

/**
 * What a request costs under a tightened limit, in the units of the one rule there is. A rule with the tighter limit
 * would be another counter, empty, at each step: whoever misbehaves in steps would be given a burst for each.
 */
export const costOf = (current: number, { limit, unit, rule }: Settings): number =>
  Math.min(rule.burst, Math.ceil((unit * limit) / current));
