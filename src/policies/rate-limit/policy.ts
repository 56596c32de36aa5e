import {
  type Awaitable,
  CONTINUE,
  type CompileDeps,
  type Decision,
  type LimitOutcome,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { ConfigError, type ConfigIssue, PolicyRejection } from '../../errors.ts';
import { DURATION_FORM, parseDuration } from '../../lib/duration.ts';
import { type CallerKeys, callerKeys, needsIdentity } from '../../limits/index.ts';
import { ruleFault } from '../../state/index.ts';
import { defaultName, LimitHeaders, wholeSeconds } from './limit-headers.ts';
import { type RateLimitConfig, rateLimitSchema } from './schema.ts';

/** Limits how often a caller may come, exactly, whichever worker answers. */
export const rateLimit: PolicyDefinition<typeof rateLimitSchema> = {
  name: 'rate-limit',
  summary: 'Limits how often a consumer, credential, address, route or header value may come.',
  schema: rateLimitSchema,
  body: 'none',
  needs: ({ by }) => (needsIdentity(by) ? ['identity'] : []),
  compile(config, deps): Policy {
    return new RateLimitPolicy(config, deps);
  },
};

/** What is counted, with every default filled in. */
interface Limit {
  readonly algorithm: 'gcra' | 'sliding-window';
  readonly limit: number;
  readonly windowMs: number;
  /** At most so much at once; for a sliding window its limit. */
  readonly burst: number;
  readonly cost: number;
}

/** Throws ConfigError with every fault. */
function readLimit(config: RateLimitConfig): Limit {
  const { limit, algorithm = 'gcra', cost = 1, burst = limit } = config;
  const windowMs = parseDuration(config.window) ?? 0;
  const issues: ConfigIssue[] = [];
  if (windowMs === 0) issues.push({ path: 'window', message: `is not ${DURATION_FORM}` });
  if (algorithm === 'sliding-window' && config.burst !== undefined) {
    const suggestion = 'leave burst out, or use algorithm: gcra';
    issues.push({ path: 'burst', message: 'means nothing for a sliding window', suggestion });
  }
  if (cost > burst) {
    issues.push({ path: 'cost', message: `is more than the ${burst} ever admitted at once` });
  }
  const fault = windowMs === 0 ? undefined : ruleFault(limit, windowMs, burst);
  if (fault !== undefined) issues.push({ path: 'limit', message: fault });
  if (issues.length > 0) throw new ConfigError(issues);
  return { algorithm, limit, windowMs, burst, cost };
}

class RateLimitPolicy implements Policy {
  readonly #limit: Limit;
  readonly #keys: CallerKeys;
  readonly #headers: LimitHeaders | undefined;
  readonly #rule: string;
  readonly #reason: string;

  constructor(config: RateLimitConfig, deps: CompileDeps) {
    this.#limit = readLimit(config);
    this.#keys = callerKeys(config.by, deps);
    this.#rule = config.name ?? defaultName(deps.attachment, deps.route);
    this.#reason = `more than ${config.limit} per ${config.window}`;
    this.#headers =
      config.headers === 'none'
        ? undefined
        : new LimitHeaders(this.#rule, this.#limit.limit, this.#limit.windowMs);
  }

  request(c: PolicyContext): Awaitable<Decision> {
    const outcome = this.#count(c);
    return outcome instanceof Promise
      ? outcome.then((later) => this.#decide(c, later))
      : this.#decide(c, outcome);
  }

  #count(c: PolicyContext): Awaitable<LimitOutcome> {
    const { state } = c.deps;
    const limit = this.#limit;
    const { scope, key } = this.#keys(c);
    return limit.algorithm === 'gcra'
      ? state.gcra(scope, key, limit, limit.cost, c.now)
      : state.slidingWindow(scope, key, limit, limit.cost, c.now);
  }

  #decide(c: PolicyContext, outcome: LimitOutcome): Decision {
    this.#headers?.append(c, outcome);
    if (outcome.allowed) return CONTINUE;
    const seconds = wholeSeconds(outcome.retryAfterMs);
    return reject(
      new PolicyRejection('rate-limited', `Too many requests. Try again in ${seconds} s.`, {
        rule: this.#rule,
        reason: this.#reason,
        headers: ['Retry-After', `${seconds}`],
      }),
    );
  }
}
