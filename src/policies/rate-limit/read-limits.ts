import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { formatDuration, parseDuration } from '../../lib/duration.ts';
import { costIssue, kongWindowOf, sharingOf } from '../../limits/index.ts';
import { ruleFault } from '../../state/index.ts';
import type { Limit } from './limit.ts';
import type { LimitOption, RateLimitConfig } from './schema.ts';

/** The longest window: what is longer is a quota. */
const MAX_WINDOW_MS = 366 * 86_400_000;

/** A limit with its place in the config. */
interface Placed {
  readonly option: LimitOption;
  readonly path: string;
  readonly name: string;
  readonly windowMs: number;
}

/** The limits of a config, whichever form it has; `ownName` is what they are named after. Throws ConfigError with every fault. */
export function readLimits(config: RateLimitConfig, ownName: string): readonly Limit[] {
  const formIssues = formFaults(config);
  if (formIssues.length > 0) throw new ConfigError(formIssues);
  const placed = placeAll(config, config.name ?? ownName);
  const issues = placed.flatMap((one) => [...limitFaults(one), ...presetFaults(one, config)]);
  issues.push(...twinFaults(placed), ...costFaults(placed, config));
  if (issues.length > 0) throw new ConfigError(issues);
  return placed.map(({ option, name, windowMs }) => ({
    name,
    algorithm: option.algorithm ?? 'gcra',
    limit: option.limit,
    windowMs,
    burst: burstOf(option),
    window: option.window,
    ...sharingOf(config),
  }));
}

const SHORT_FORM = ['limit', 'window', 'burst', 'algorithm'] as const;

/** Either `limit` and `window`, or `limits`. */
function formFaults(config: RateLimitConfig): ConfigIssue[] {
  if (config.limits !== undefined) {
    const beside = SHORT_FORM.filter((key) => config[key] !== undefined);
    const suggestion = 'say it in each of limits, or leave limits out';
    return beside.map((path) => ({ path, message: 'stands beside limits', suggestion }));
  }
  const missing = (['limit', 'window'] as const).filter((key) => config[key] === undefined);
  const suggestion = 'write limit and window, or limits for several';
  return missing.map((key) => ({ path: '', message: `is missing the key "${key}"`, suggestion }));
}

function placeAll(config: RateLimitConfig, name: string): readonly Placed[] {
  const { limit, window, burst, algorithm, limits } = config;
  if (limits === undefined) {
    if (limit === undefined || window === undefined) return [];
    const option: LimitOption = { limit, window };
    if (burst !== undefined) option.burst = burst;
    if (algorithm !== undefined) option.algorithm = algorithm;
    return [{ option, path: '', name, windowMs: parseDuration(window) ?? 0 }];
  }
  return limits.map((option, i) => {
    const windowMs = parseDuration(option.window) ?? 0;
    return { option, path: `limits[${i}].`, name: option.name ?? `${name}-${option.window}`, windowMs };
  });
}

const burstOf = ({ limit, burst, algorithm }: LimitOption): number =>
  algorithm === 'fixed-window' || algorithm === 'sliding-window' ? limit : (burst ?? limit);

function limitFaults({ option, path, windowMs }: Placed): ConfigIssue[] {
  const { limit, burst, algorithm = 'gcra' } = option;
  const issues: ConfigIssue[] = [];
  if (windowMs === 0) issues.push({ path: `${path}window`, message: 'must be more than 0' });
  if (windowMs > MAX_WINDOW_MS) {
    const suggestion = 'the policy quota counts by months and years';
    issues.push({ path: `${path}window`, message: 'is longer than 366d', suggestion });
  }
  if (algorithm === 'token-bucket' && burst === undefined) {
    const suggestion = `burst: ${limit} holds what one window brings`;
    issues.push({ path: `${path}burst`, message: 'is missing: what a token bucket holds', suggestion });
  }
  const isWindow = algorithm === 'fixed-window' || algorithm === 'sliding-window';
  if (isWindow && burst !== undefined) {
    const suggestion = 'leave burst out, or use algorithm: gcra';
    issues.push({
      path: `${path}burst`,
      message: `means nothing for a ${algorithm.replace('-', ' ')}`,
      suggestion,
    });
  }
  if (issues.length > 0 || algorithm === 'fixed-window') return issues;
  const fault = ruleFault(limit, windowMs, limit);
  if (fault !== undefined) return [{ path: `${path}limit`, message: fault }];
  const burstFault = ruleFault(limit, windowMs, burstOf(option));
  return burstFault === undefined
    ? []
    : [{ path: `${path}burst`, message: burstFault.replace('the limit', 'the burst') }];
}

function presetFaults({ path, windowMs }: Placed, { headers }: RateLimitConfig): ConfigIssue[] {
  if (headers !== 'kong' || kongWindowOf(windowMs) !== undefined) return [];
  const message = 'has no name in Kong’s headers, which know 1s, 1m, 1h, 1d, 30d (Month) and 365d (Year)';
  return [{ path: `${path}window`, message, suggestion: 'use one of these, or other headers' }];
}

/** Names tell counters and members of a header apart; of two limits of one window only the tighter would ever refuse. */
function twinFaults(placed: readonly Placed[]): ConfigIssue[] {
  return placed.flatMap(({ path, name, windowMs }, i) => {
    const issues: ConfigIssue[] = [];
    const before = placed.slice(0, i);
    const window = before.findIndex((one) => one.windowMs === windowMs);
    if (window !== -1) {
      const message = `is the window of limits[${window}] too: ${formatDuration(windowMs)}`;
      issues.push({ path: `${path}window`, message });
    }
    const named = before.findIndex((one) => one.name === name);
    if (named !== -1 && window === -1) {
      issues.push({ path: `${path}name`, message: `is the name of limits[${named}] too` });
    }
    return issues;
  });
}

/** The tightest limit says what can be admitted at all. */
function costFaults(placed: readonly Placed[], { cost }: RateLimitConfig): ConfigIssue[] {
  const issue = costIssue(cost, Math.min(...placed.map(({ option }) => burstOf(option))));
  return issue === undefined ? [] : [issue];
}
