import {
  type Awaitable,
  type Charge,
  CONTINUE,
  type CompileDeps,
  countingTime,
  type Decision,
  type LimitOutcome,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { ConfigError, type ConfigIssue, InternalError, PolicyRejection } from '../../errors.ts';
import {
  type CallerKey,
  type CallerKeys,
  type CountedAnswers,
  callerKeys,
  countedAnswers,
  type LimitHeaders,
  limitHeaders,
  limitName,
  limitsUnavailable,
  noteLoss,
  type RequestCost,
  requestCost,
  wholeSeconds,
} from '../../limits/index.ts';
import { chargeOf, type Limit } from './limit.ts';
import { readLimits } from './read-limits.ts';
import { type RateLimitConfig, rateLimitOutline, type rateLimitSchema } from './schema.ts';

/** Limits how often a caller may come, exactly, whichever worker answers. */
export const rateLimit: PolicyDefinition<typeof rateLimitSchema> = {
  ...rateLimitOutline,
  compile(config, deps): Policy {
    const parts = partsOf(config, deps);
    return config.limits === undefined ? new OneLimit(parts, parts.limits[0]) : new SeveralLimits(parts);
  },
};

/** What a config comes to. */
interface Parts {
  readonly attachment: string;
  /** At least one. */
  readonly limits: readonly Limit[];
  /** The same, for callers that anybody may be. */
  readonly strangers: readonly Limit[];
  /** The shortest of their windows. */
  readonly shortestMs: number;
  readonly keys: CallerKeys;
  readonly cost: RequestCost;
  readonly headers: LimitHeaders | undefined;
  /** Undefined where every request counts. */
  readonly counts: CountedAnswers | undefined;
}

/** What one request is charged. */
interface Use {
  readonly caller: CallerKey;
  readonly cost: number;
  /** When it is counted. */
  readonly atMs: number;
}

/** Throws ConfigError with the faults of every part. */
function partsOf(config: RateLimitConfig, deps: CompileDeps): Parts {
  const issues: ConfigIssue[] = [];
  const limits = partOf(issues, () => readLimits(config, limitName(deps.attachment, deps.route)));
  const keys = partOf(issues, () => callerKeys(config.by, deps));
  const cost = partOf(issues, () => requestCost(config.cost, deps));
  const { count } = config;
  const counts = count === undefined ? undefined : partOf(issues, () => countedAnswers(count));
  if (limits === undefined || keys === undefined || cost === undefined || issues.length > 0)
    throw new ConfigError(issues);
  const headers = limitHeaders(config.headers, limits);
  const shortestMs = Math.min(...limits.map(({ windowMs }) => windowMs));
  const strangers = limits.map((limit) => ({ ...limit, unproven: true }));
  return { attachment: deps.attachment, limits, strangers, shortestMs, keys, cost, headers, counts };
}

function partOf<T>(issues: ConfigIssue[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    issues.push(...error.issues);
    return undefined;
  }
}

/** `limit` and `window`: the counter has the attachment's own scope, and no list is made for one. */
class OneLimit implements Policy {
  readonly #parts: Parts;
  readonly #limit: Limit;
  readonly #reason: string;

  constructor(parts: Parts, limit: Limit) {
    this.#parts = parts;
    this.#limit = limit;
    this.#reason = reasonOf(limit);
  }

  request(c: PolicyContext): Awaitable<Decision> {
    const { keys, cost: costs, shortestMs, counts } = this.#parts;
    const caller = keys(c);
    const cost = costs.of(c);
    const atMs = countingTime(c, shortestMs);
    const outcome = this.#count(c, caller, cost, atMs);
    if (outcome instanceof Promise) return this.#decideLater(c, { caller, cost, atMs }, outcome);
    const decision = this.#decide(c, outcome);
    if (counts !== undefined) this.#watch(c, counts, { caller, cost, atMs }, outcome);
    return decision;
  }

  /** Apart, so that what it keeps for later is not made for a request that is decided at once. */
  async #decideLater(c: PolicyContext, use: Use, counted: Promise<LimitOutcome>): Promise<Decision> {
    const { counts } = this.#parts;
    const outcome = await counted;
    const decision = this.#decide(c, outcome);
    if (counts !== undefined) this.#watch(c, counts, use, outcome);
    return decision;
  }

  #count(c: PolicyContext, caller: CallerKey, cost: number, atMs: number): Awaitable<LimitOutcome> {
    const { state } = c.deps;
    const { scope, key } = caller;
    const limit = caller.unproven ? this.#parts.strangers[0] : this.#limit;
    if (limit.algorithm === 'sliding-window') return state.slidingWindow(scope, key, limit, cost, atMs);
    if (limit.algorithm !== 'fixed-window') return state.gcra(scope, key, limit, cost, atMs);
    const outcomes = state.charge([chargeOf(limit, scope, key, cost, atMs)], atMs);
    return outcomes instanceof Promise ? outcomes.then(only) : only(outcomes);
  }

  #decide(c: PolicyContext, outcome: LimitOutcome): Decision {
    const { attachment, headers } = this.#parts;
    if (outcome.lost) noteLoss(c, attachment, outcome);
    if (isUnknown(this.#limit, outcome)) return reject(limitsUnavailable(this.#limit.name));
    headers?.append(c, outcome);
    return outcome.allowed ? CONTINUE : this.#refuse(outcome);
  }

  #watch(c: PolicyContext, counts: CountedAnswers, use: Use, { allowed, lost }: LimitOutcome): void {
    if (!allowed || lost) return;
    const { cost, atMs } = use;
    const { scope, key } = use.caller;
    giveBackAtEnd(c, counts, atMs, () => [chargeOf(this.#limit, scope, key, cost, atMs)]);
  }

  #refuse(outcome: LimitOutcome): Decision {
    const seconds = secondsToWait(this.#limit, outcome);
    return reject(
      new PolicyRejection('rate-limited', `Too many requests. Try again in ${seconds} s.`, {
        rule: this.#limit.name,
        reason: outcome.full ? NO_ROOM : this.#reason,
        headers: ['Retry-After', `${seconds}`],
      }),
    );
  }
}

/** `limits`: a scope for each, all charged or none. */
class SeveralLimits implements Policy {
  readonly #parts: Parts;
  /** The scope of each limit, by the scope of the caller's key: there are at most two. */
  readonly #scopes = new Map<string, readonly string[]>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  request(c: PolicyContext): Awaitable<Decision> {
    const caller = this.#parts.keys(c);
    const use = { caller, cost: this.#parts.cost.of(c), atMs: countingTime(c, this.#parts.shortestMs) };
    const outcomes = c.deps.state.charge(this.#charges(use), use.atMs);
    if (outcomes instanceof Promise) return this.#decideLater(c, use, outcomes);
    return this.#decide(c, use, outcomes);
  }

  async #decideLater(
    c: PolicyContext,
    use: Use,
    outcomes: Promise<readonly LimitOutcome[]>,
  ): Promise<Decision> {
    return this.#decide(c, use, await outcomes);
  }

  #charges({ caller: { scope, key, unproven }, cost, atMs }: Use): readonly Charge[] {
    const limits = unproven ? this.#parts.strangers : this.#parts.limits;
    const scopes = this.#scopesOf(scope);
    const charges: Charge[] = [];
    for (let i = 0; i < limits.length; i++) charges.push(chargeOf(limits[i], scopes[i], key, cost, atMs));
    return charges;
  }

  #scopesOf(scope: string): readonly string[] {
    let scopes = this.#scopes.get(scope);
    if (scopes === undefined) {
      scopes = this.#parts.limits.map(({ name }) => `${scope} ${name}`);
      this.#scopes.set(scope, scopes);
    }
    return scopes;
  }

  #decide(c: PolicyContext, use: Use, outcomes: readonly LimitOutcome[]): Decision {
    const { attachment, limits, headers, counts } = this.#parts;
    let lost: LimitOutcome | undefined;
    let isAllowed = true;
    let isKnown = true;
    for (let i = 0; i < outcomes.length; i++) {
      const outcome = outcomes[i];
      if (outcome.lost) lost = outcome;
      if (!outcome.allowed) isAllowed = false;
      if (isUnknown(limits[i], outcome)) isKnown = false;
    }
    if (lost !== undefined) noteLoss(c, attachment, lost);
    if (!isKnown) return reject(limitsUnavailable(namesOf(this.#refusing(outcomes))));
    headers?.appendAll(c, outcomes, isAllowed ? 0 : use.cost);
    if (!isAllowed) return this.#refuse(outcomes);
    if (counts !== undefined && lost === undefined) this.#watch(c, counts, use);
    return CONTINUE;
  }

  #watch(c: PolicyContext, counts: CountedAnswers, use: Use): void {
    giveBackAtEnd(c, counts, use.atMs, () => this.#charges(use));
  }

  #refusing(outcomes: readonly LimitOutcome[]): readonly Limit[] {
    return this.#parts.limits.filter((_, i) => !outcomes[i].allowed);
  }

  /** Names all that refuse; the client waits for the last of them. */
  #refuse(outcomes: readonly LimitOutcome[]): Decision {
    const { limits } = this.#parts;
    const refusing = this.#refusing(outcomes);
    const seconds = Math.max(
      ...outcomes.map((outcome, i) => (outcome.allowed ? 0 : secondsToWait(limits[i], outcome))),
    );
    const names = namesOf(refusing);
    return reject(
      new PolicyRejection('rate-limited', `Too many requests (${names}). Try again in ${seconds} s.`, {
        rule: names,
        reason: outcomes.some(({ full }) => full) ? NO_ROOM : refusing.map(reasonOf).join(', '),
        headers: ['Retry-After', `${seconds}`],
      }),
    );
  }
}

/** Under way a request counts, since nobody knows better; then it is known how it was answered. */
function giveBackAtEnd(
  c: PolicyContext,
  counts: CountedAnswers,
  chargedAtMs: number,
  charges: () => readonly Charge[],
): void {
  c.onEnd((end) => {
    if (counts(end)) return;
    return c.deps.state.refund(charges(), chargedAtMs, c.deps.clock.now());
  });
}

/** Refused since nobody knows, which is another thing than a limit that is reached on this node's own count. */
const isUnknown = ({ onLoss }: Limit, { allowed, lost }: LimitOutcome): boolean =>
  lost === true && !allowed && onLoss === 'closed';

const NO_ROOM = 'the table of counters has no room for another caller';

const reasonOf = ({ limit, window }: Limit): string => `more than ${limit} per ${window}`;

const namesOf = (limits: readonly Limit[]): string => limits.map(({ name }) => name).join(', ');

/** A wait without an end (a share of the limit is less than the cost) is told as a window: something will have changed. */
const secondsToWait = ({ windowMs }: Limit, { retryAfterMs }: LimitOutcome): number =>
  wholeSeconds(Number.isFinite(retryAfterMs) ? retryAfterMs : windowMs);

function only([outcome]: readonly LimitOutcome[]): LimitOutcome {
  if (outcome === undefined) throw new InternalError('a charge has no outcome');
  return outcome;
}
