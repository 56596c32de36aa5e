import type { SumRule } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { DURATION_FORM, parseDuration } from '../../lib/duration.ts';
import type { By, Misdeed } from '../../limits/index.ts';
import { ruleFault } from '../../state/index.ts';
import { type AutoBanConfig, DEFAULTS } from './schema.ts';

/** A config with every default filled in. Times in milliseconds. */
export interface BanRules {
  readonly after: number;
  /** Of the rejections. */
  readonly sum: SumRule;
  readonly kinds: ReadonlySet<Misdeed>;
  readonly banMs: number;
  readonly growth: number;
  readonly maxBanMs: number;
  readonly forgetMs: number;
}

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;
const MAX_BAN_MS = 366 * DAY_MS;

/** Throws ConfigError with every fault. */
export function readRules(config: AutoBanConfig): BanRules {
  const issues: ConfigIssue[] = [];
  const ms = (path: 'window' | 'ban' | 'maxBan' | 'forget', text: string, mostMs: number): number => {
    const value = parseDuration(text);
    if (value === undefined) issues.push({ path, message: `is not ${DURATION_FORM}` });
    else if (value < SECOND_MS || value > mostMs) {
      issues.push({ path, message: `is not between 1s and ${mostMs / DAY_MS}d` });
    }
    return value ?? 0;
  };
  const { after, ban, growth = DEFAULTS.growth } = config;
  const banMs = ms('ban', ban, MAX_BAN_MS);
  const windowMs = ms('window', config.window, DAY_MS);
  const forgetMs = ms('forget', config.forget ?? DEFAULTS.forget, MAX_BAN_MS);
  // A first ban that is longer than the default is meant so.
  const longest =
    config.maxBan === undefined ? Math.max(banMs, DAY_MS) : ms('maxBan', config.maxBan, MAX_BAN_MS);
  if (longest < banMs) {
    issues.push({ path: 'maxBan', message: 'is less than ban', suggestion: 'make it at least as long' });
  }
  issues.push(...keyIssues(config.by));
  const fault = issues.length > 0 ? undefined : ruleFault(after, windowMs, after);
  if (fault !== undefined) issues.push({ path: 'after', message: fault });
  if (issues.length > 0) throw new ConfigError(issues);
  const sum: SumRule = { windowMs, onLoss: config.onStateLoss ?? 'local' };
  return { after, sum, kinds: new Set(config.for), banMs, growth, maxBanMs: longest, forgetMs };
}

/** A ban is of one subscriber or one caller, or it is no ban but an outage. */
function keyIssues(by: By | undefined): ConfigIssue[] {
  if (by === 'route') {
    const suggestion = 'say by: address, or by: consumer';
    return [{ path: 'by', message: 'would ban everybody who calls the route', suggestion }];
  }
  if (typeof by !== 'object' || !('address' in by)) return [];
  const { ipv4 = 32, ipv6 = 64 } = by.address;
  const issues: ConfigIssue[] = [];
  const message = 'is not how wide a ban is: it is of one IPv4 address, or of one /64 of IPv6';
  if (ipv4 !== 32) issues.push({ path: 'by.address.ipv4', message, suggestion: 'say by: address' });
  if (ipv6 !== 64) issues.push({ path: 'by.address.ipv6', message, suggestion: 'say by: address' });
  return issues;
}

/** How long a ban lasts that is the `strike`th in a row. */
export function banTime({ banMs, growth, maxBanMs }: BanRules, strike: number): number {
  return Math.min(maxBanMs, Math.floor(banMs * growth ** (strike - 1)));
}
