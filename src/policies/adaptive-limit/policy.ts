import {
  type Awaitable,
  CONTINUE,
  type CompileDeps,
  countingTime,
  type Decision,
  type Held,
  type LimitOutcome,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  type RequestEnd,
  reject,
} from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import {
  type CallerKey,
  type CallerKeys,
  callerKeys,
  type LimitHeaders,
  limitHeaders,
  limitName,
  limitsUnavailable,
  misdeedOf,
  noteLoss,
  wholeSeconds,
} from '../../limits/index.ts';
import { after } from './after.ts';
import { type Health, healthOf, movedFrom } from './health.ts';
import { type AdaptiveLimitConfig, adaptiveLimitOutline, type adaptiveLimitSchema } from './schema.ts';
import { readSettings, type Settings } from './settings.ts';
import type { Standing } from './standing.ts';
import { Standings } from './standings.ts';
import { Watch } from './watch.ts';

/** A limit that moves: of each caller by how it behaves, of all together by how the service does. */
export const adaptiveLimit: PolicyDefinition<typeof adaptiveLimitSchema> = {
  ...adaptiveLimitOutline,
  compile(config, deps): Policy {
    const limit = new AdaptiveLimit(config, deps);
    const request = (c: PolicyContext) => limit.request(c);
    const dispose = () => limit.dispose();
    const { watch } = limit;
    if (watch === undefined) return { request, dispose };
    return { request, response: (c) => watch.headArrived(c), dispose };
  },
};

class AdaptiveLimit {
  readonly #config: AdaptiveLimitConfig;
  readonly #attachment: string;
  readonly #settings: Settings;
  readonly #keys: CallerKeys;
  /** What attachments count by address where there is nothing better. */
  readonly #addressScope: string;
  readonly #name: string;
  readonly #headers: LimitHeaders | undefined;
  readonly #standings: Standings | undefined;
  readonly #health: Held<Health>;
  /** Undefined where the concurrency is not limited. */
  readonly watch: Watch | undefined;

  constructor(config: AdaptiveLimitConfig, deps: CompileDeps) {
    const settings = readSettings(config);
    const { behaviour, health } = settings;
    this.#config = config;
    this.#attachment = deps.attachment;
    this.#settings = settings;
    this.#addressScope = `${deps.attachment} by address`;
    this.#keys = provenKeys(config, deps, this.#addressScope);
    this.#name = config.name ?? limitName(deps.attachment, deps.route);
    this.#headers = this.#headersOf(config.limit);
    this.#standings = behaviour === undefined ? undefined : new Standings(settings, behaviour);
    this.#health = deps.resources.acquire(healthOf(deps.attachment, health));
    this.watch =
      health === undefined
        ? undefined
        : new Watch(this.#health.resource, health, deps.attachment, this.#name);
  }

  dispose(): void {
    this.#health.release();
  }

  /** Synchronous as long as the counters are. */
  request(c: PolicyContext): Awaitable<Decision> {
    const caller = this.#keys(c);
    const standing = this.#standings?.of(caller.scope, caller.key, this.#isAddress(caller));
    const known = standing?.came(c.deps.state, countingTime(c, this.#settings.windowMs));
    return known instanceof Promise
      ? known.then(() => this.#charge(c, caller, standing))
      : this.#charge(c, caller, standing);
  }

  #isAddress({ scope }: CallerKey): boolean {
    const { by } = this.#config;
    return by === 'address' || typeof by === 'object' || scope === this.#addressScope;
  }

  get #isClosed(): boolean {
    return this.#settings.rule.onLoss === 'closed';
  }

  #unavailable(c: PolicyContext, what: Pick<LimitOutcome, 'lost'>): Decision {
    noteLoss(c, this.#attachment, what);
    return reject(limitsUnavailable(this.#name));
  }

  #charge(c: PolicyContext, caller: CallerKey, standing: Standing | undefined): Awaitable<Decision> {
    const { rule, unit } = this.#settings;
    if (standing?.lost && this.#isClosed) return this.#unavailable(c, standing);
    const cost = standing?.cost ?? unit;
    const counted = caller.unproven ? this.#settings.strangersRule : rule;
    const outcome = c.deps.state.gcra(
      caller.scope,
      caller.key,
      counted,
      cost,
      countingTime(c, rule.windowMs),
    );
    return outcome instanceof Promise
      ? outcome.then((later) => this.#decide(c, caller, standing, cost, later))
      : this.#decide(c, caller, standing, cost, outcome);
  }

  #decide(
    c: PolicyContext,
    caller: CallerKey,
    standing: Standing | undefined,
    cost: number,
    outcome: LimitOutcome,
  ): Awaitable<Decision> {
    // What is refused by this node's own count is known to be too much.
    if (outcome.lost && this.#isClosed) return this.#unavailable(c, outcome);
    const lost = outcome.lost ?? standing?.lost;
    noteLoss(c, this.#attachment, { lost });
    if (standing !== undefined) this.#tell(c, standing);
    this.#append(c, standing, cost, outcome);
    if (!outcome.allowed) return this.#refuse(standing, outcome);
    const overload = this.watch?.enter(c);
    if (overload !== undefined) return outcome.lost ? overload : this.#giveBack(c, caller, cost, overload);
    standing?.admitted();
    if (standing !== undefined) c.onEnd((end) => this.#ended(c, standing, end, lost));
    return standing?.letOn ?? CONTINUE;
  }

  /** Says once per move that a caller's limit did. The log has no key: who it is, the records say. */
  #tell(c: PolicyContext, standing: Standing): void {
    const { limit, told, why, caller } = standing;
    if (limit === told || standing.isUnjudged) return;
    const moved = movedFrom(told, limit, this.#settings.limit);
    if (moved === undefined) return;
    standing.told = limit;
    c.deps.notices.count(this.#attachment, moved);
    this.#health.resource.log(moved, {
      attachment: this.#attachment,
      caller: caller.isAddress ? 'address' : (this.#config.by ?? 'consumer'),
      why: why ?? `limit ${limit}`,
    });
  }

  #append(c: PolicyContext, standing: Standing | undefined, cost: number, outcome: LimitOutcome): void {
    if (this.#headers === undefined) return;
    const { allowed, remaining, retryAfterMs, resetMs } = outcome;
    const told = { allowed, remaining: Math.floor(remaining / cost), retryAfterMs, resetMs };
    if (standing?.isTightened !== true) return this.#headers.append(c, told);
    standing.headers ??= this.#headersOf(standing.limit);
    standing.headers?.append(c, told);
  }

  #headersOf(limit: number): LimitHeaders | undefined {
    const { windowMs } = this.#settings;
    return limitHeaders(this.#config.headers, [{ name: this.#name, limit, windowMs }]);
  }

  #refuse(standing: Standing | undefined, { retryAfterMs, full }: LimitOutcome): Decision {
    const { limit, window } = this.#config;
    const seconds = wholeSeconds(retryAfterMs);
    const reason = full
      ? 'the table of counters has no room for one more caller'
      : (standing?.why ?? `more than ${limit} per ${window}`);
    return reject(
      new PolicyRejection('rate-limited', `Too many requests. Try again in ${seconds} s.`, {
        rule: this.#name,
        reason,
        headers: ['Retry-After', `${seconds}`],
      }),
    );
  }

  /** What the service has no room for is not held against the caller. */
  #giveBack(
    c: PolicyContext,
    { scope, key }: CallerKey,
    cost: number,
    overload: Decision,
  ): Awaitable<Decision> {
    const { rule } = this.#settings;
    const given = c.deps.state.refund(
      [{ kind: 'gcra', scope, key, cost, rule }],
      c.now,
      countingTime(c, rule.windowMs),
    );
    return after(given, () => overload);
  }

  /**
   * Reads what an admitted request speaks of. Our own refusals say nothing: a limit that tightens since it is tight
   * would never be restored. A loss is told of once, and not again where it was when the request came.
   */
  #ended(
    c: PolicyContext,
    standing: Standing,
    end: RequestEnd,
    wasLost: LimitOutcome['lost'],
  ): Awaitable<void> {
    const { behaviour } = this.#settings;
    const health = this.#health.resource;
    const { status, code } = end;
    const hasAnswered = code === undefined && status > 0;
    if (hasAnswered) health.noteAnswer(status);
    const misdeed = misdeedOf(end);
    if (misdeed === undefined) {
      if (hasAnswered) standing.endedWell();
      return undefined;
    }
    const weight = behaviour?.weights[misdeed] ?? 0;
    const points = hasAnswered && status >= 500 ? weight * ownPart(health.failing) : weight;
    if (points === 0) return undefined;
    const added = standing.endedBadly(c.deps.state, misdeed, points, c.deps.clock.now());
    return after(added, (sum) => {
      if (!wasLost) noteLoss(c, this.#attachment, sum);
    });
  }
}

/**
 * How much of an upstream's failure is its caller's. Where a part p of all answers fails, everybody gets p of them; with
 * the weight 0.5 and this, p (1 − p)³ / 2 never comes to what the others give back, (1 − p) / 10: an outage tightens
 * nobody.
 */
const ownPart = (failing: number): number => (1 - failing) ** 3;

/**
 * Only keys that are proved. Whoever presents nothing and goes as a consumer that all such share is told apart by address:
 * one of them must not tighten it for the others.
 */
function provenKeys(config: AdaptiveLimitConfig, deps: CompileDeps, addressScope: string): CallerKeys {
  const keys = callerKeys(config.by, deps);
  if (config.by === 'address' || typeof config.by === 'object') return keys;
  const byAddress = callerKeys('address', { attachment: addressScope });
  return (c) => (c.facts.identity?.anonymous === true ? byAddress(c) : keys(c));
}
