import type { GcraRule, Priority, SumRule } from '../../contract/index.ts';
import { PRIORITIES } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { formatDuration, parseDuration } from '../../lib/duration.ts';
import { kongWindowOf, MISDEEDS, type Misdeed, sharingOf } from '../../limits/index.ts';
import { ruleFault } from '../../state/index.ts';
import type { AdaptiveLimitConfig } from './schema.ts';

/** What a request of a caller that behaves costs, where so much can be counted exactly: the finer, the smoother. */
const UNITS = [100, 10, 1] as const;
const MAX_WINDOW_MS = 366 * 86_400_000;
/** What is usual is told in requests a minute. */
export const MINUTE_MS = 60_000;
/** A floor that nobody chose: whoever goes on at the rate of the limit loses 95 %. */
const DEFAULT_FLOOR = '5%';

/**
 * Points by kind. What one request without fault gives back (CREDIT) is the share of a kind that is borne at any
 * volume: CREDIT / (weight + CREDIT), so 9 % not found, 5 % wrong credentials, 2 % stopped by the firewall; one in two
 * without a credential, as clients come that wait for the challenge (RFC 9110 §11.4).
 */
const WEIGHTS: Readonly<Record<Misdeed, number>> = Object.freeze({
  'failed-authentication': 2,
  unauthenticated: 0.1,
  forbidden: 1,
  waf: 5,
  validation: 1,
  'not-found': 1,
  rate: 0.25,
  error: 0.5,
});

/** A caller's rate against what it usually is. */
export interface BaselineSettings {
  readonly factor: number;
  readonly minimum: number;
  /** Of what is usual. */
  readonly learned: SumRule;
}

export interface BehaviourSettings {
  /** Of points and of requests without fault. */
  readonly sum: SumRule;
  /** Of requests. */
  readonly minute: SumRule;
  readonly windowText: string;
  readonly threshold: number;
  readonly weights: Readonly<Record<Misdeed, number>>;
  readonly baseline: BaselineSettings | undefined;
}

export interface HealthSettings {
  readonly tolerance: number;
  readonly min: number;
  readonly max: number;
  readonly lagMs: number;
  /** Parts of 1. */
  readonly shares: Readonly<Record<Priority, number>>;
}

/** A config with every default filled in. */
export interface Settings {
  readonly limit: number;
  readonly windowMs: number;
  readonly floor: number;
  /** What is counted: `unit` times the limit, so that a tighter limit is a higher cost and the counter goes on. */
  readonly rule: GcraRule;
  /** The same, for callers that anybody may be. */
  readonly strangersRule: GcraRule;
  readonly unit: number;
  readonly behaviour: BehaviourSettings | undefined;
  readonly health: HealthSettings | undefined;
}

/** Throws ConfigError with every fault. */
export function readSettings(config: AdaptiveLimitConfig): Settings {
  const issues: ConfigIssue[] = [];
  const windowMs = durationAt(config.window, 'window', issues);
  const { limit, burst = limit } = config;
  if (windowMs > 0) issues.push(...countFaults(config, burst, windowMs));
  const floor = floorOf(config, burst, issues);
  const behaviour = behaviourOf(config, issues);
  const health = healthOf(config.health, issues);
  if (config.behaviour === false && config.health === false) {
    const suggestion = 'use rate-limit for a limit that stays, or leave one of them on';
    issues.push({ path: '', message: 'adapts to nothing: behaviour and health are both off', suggestion });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  const unit = unitOf(limit, burst, windowMs);
  const rule = { limit: limit * unit, windowMs, burst: burst * unit, ...sharingOf(config) };
  const strangersRule = { ...rule, unproven: true };
  return { limit, windowMs, floor, rule, strangersRule, unit, behaviour, health };
}

const unitOf = (limit: number, burst: number, windowMs: number): number =>
  UNITS.find((unit) => ruleFault(limit * unit, windowMs, burst * unit) === undefined) ?? 1;

function countFaults(
  { limit, headers }: AdaptiveLimitConfig,
  burst: number,
  windowMs: number,
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const fault = ruleFault(limit, windowMs, limit) ?? ruleFault(limit, windowMs, burst);
  if (fault !== undefined) issues.push({ path: 'limit', message: fault });
  if (headers === 'kong' && kongWindowOf(windowMs) === undefined) {
    const message = 'has no name in Kong’s headers, which know 1s, 1m, 1h, 1d, 30d (Month) and 365d (Year)';
    issues.push({ path: 'window', message, suggestion: 'use one of these, or other headers' });
  }
  return issues;
}

function durationAt(text: string, path: string, issues: ConfigIssue[]): number {
  const ms = parseDuration(text) ?? 0;
  if (ms === 0) issues.push({ path, message: 'must be more than 0' });
  else if (ms > MAX_WINDOW_MS) issues.push({ path, message: 'is longer than 366d' });
  return ms;
}

/**
 * A tighter limit is a higher cost, and a cost above the burst would never be admitted: the floor is at least so much
 * that one request at the floor fits into the burst.
 */
function floorOf({ limit, floor }: AdaptiveLimitConfig, burst: number, issues: ConfigIssue[]): number {
  const least = Math.ceil(limit / burst);
  const told = floor ?? DEFAULT_FLOOR;
  const wanted = typeof told === 'number' ? told : Math.ceil((limit * Number(told.slice(0, -1))) / 100);
  if (wanted > limit) issues.push({ path: 'floor', message: `is more than the limit of ${limit}` });
  else if (floor !== undefined && wanted < least) {
    const suggestion = `a floor of ${least}, or a larger burst`;
    issues.push({
      path: 'floor',
      message: `is less than a burst of ${burst} can be tightened to`,
      suggestion,
    });
  }
  return Math.max(wanted, least);
}

function behaviourOf(config: AdaptiveLimitConfig, issues: ConfigIssue[]): BehaviourSettings | undefined {
  if (config.behaviour === false) return undefined;
  const { window = '5m', threshold = 20, weights = {}, baseline } = config.behaviour ?? {};
  const windowMs = durationAt(window, 'behaviour.window', issues);
  const { onLoss } = sharingOf(config);
  return {
    sum: { windowMs, onLoss },
    minute: { windowMs: MINUTE_MS, onLoss },
    windowText: formatDuration(windowMs),
    threshold,
    weights: { ...WEIGHTS, ...weights },
    baseline: baseline === false ? undefined : baselineOf(baseline ?? {}, onLoss, issues),
  };
}

/** What is learned from less than this is hardly usual. */
const MIN_LEARN_MS = 900_000;

function baselineOf(
  {
    factor = 5,
    minimum = 60,
    learn = '1h',
  }: { readonly factor?: number; readonly minimum?: number; readonly learn?: string },
  onLoss: SumRule['onLoss'],
  issues: ConfigIssue[],
): BaselineSettings {
  const path = 'behaviour.baseline.learn';
  const learnMs = durationAt(learn, path, issues);
  if (learnMs > 0 && learnMs < MIN_LEARN_MS) issues.push({ path, message: 'is shorter than 15m' });
  return { factor, minimum, learned: { windowMs: learnMs, onLoss } };
}

function healthOf(option: AdaptiveLimitConfig['health'], issues: ConfigIssue[]): HealthSettings | undefined {
  if (option === false) return undefined;
  const {
    latency = 1.5,
    minConcurrency = 4,
    maxConcurrency = 1000,
    lag = '50ms',
    classes = {},
  } = option ?? {};
  if (minConcurrency > maxConcurrency) {
    issues.push({ path: 'health.minConcurrency', message: `is more than the ${maxConcurrency} at most` });
  }
  const { critical = 100, high = 95, normal = 85, low = 60 } = classes;
  const percent = { critical, high, normal, low };
  for (const [i, name] of PRIORITIES.entries()) {
    const before = i === 0 ? undefined : PRIORITIES[i - 1];
    if (before === undefined || percent[name] <= percent[before]) continue;
    const message = `is more than the ${percent[before]} of ${before}, which matters more`;
    issues.push({ path: `health.classes.${name}`, message });
  }
  return {
    tolerance: latency,
    min: minConcurrency,
    max: maxConcurrency,
    lagMs: durationAt(lag, 'health.lag', issues),
    shares: { critical: critical / 100, high: high / 100, normal: normal / 100, low: low / 100 },
  };
}

/** Kinds that count, in the order in which they are told of. */
export const countedKinds = ({ weights }: BehaviourSettings): readonly Misdeed[] =>
  MISDEEDS.filter((kind) => weights[kind] > 0);
