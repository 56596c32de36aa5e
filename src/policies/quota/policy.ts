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
  type Sharing,
} from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import {
  type CountedAnswers,
  countedAnswers,
  type HeadersPreset,
  type LimitHeaders,
  limitHeaders,
  limitName,
  limitsUnavailable,
  noteLoss,
  type RequestCost,
  requestCost,
  sharingOf,
  wholeSeconds,
} from '../../limits/index.ts';
import { Allowance } from './allowance.ts';
import { type QuotaConfig, quotaOutline, type quotaSchema } from './schema.ts';
import { readSettings, SHORTEST_MS } from './settings.ts';

/** Limits how much a caller may have in long windows, within wider quotas and with a reserve. */
export const quota: PolicyDefinition<typeof quotaSchema> = {
  ...quotaOutline,
  compile(config, deps): Policy {
    return new QuotaPolicy(config, deps);
  },
};

/** An allowance, and how answers tell of it. */
interface Told {
  readonly allowance: Allowance;
  readonly headers: LimitHeaders | undefined;
}

/** What was charged, or was to be: the outcomes are those of the allowances. */
interface Attempt {
  readonly of: readonly Told[];
  readonly charges: readonly Charge[];
  readonly outcomes: readonly LimitOutcome[];
  /** When it is counted. */
  readonly atMs: number;
}

class QuotaPolicy implements Policy {
  readonly #attachment: string;
  readonly #onLoss: Sharing['onLoss'];
  readonly #cost: RequestCost;
  readonly #counted: CountedAnswers | undefined;
  readonly #own: Told;
  /** The own one, and those around it. */
  readonly #first: readonly Told[];
  /** The reserve in place of the own one; undefined without. */
  readonly #second: readonly Told[] | undefined;

  constructor(config: QuotaConfig, deps: CompileDeps) {
    const { own, within, reserve } = readSettings(config, limitName(deps.attachment, deps.route));
    const sharing = sharingOf(config);
    const told = (level: typeof own): Told => ({
      allowance: new Allowance(level, deps, sharing),
      headers: headersOf(config.headers, level),
    });
    this.#attachment = deps.attachment;
    this.#onLoss = sharing.onLoss;
    this.#cost = requestCost(config.cost, deps);
    this.#counted = config.count === undefined ? undefined : countedAnswers(config.count);
    this.#own = told(own);
    const wider = within.map(told);
    this.#first = [this.#own, ...wider];
    this.#second = reserve === undefined ? undefined : [told(reserve), ...wider];
  }

  request(c: PolicyContext): Awaitable<Decision> {
    const cost = this.#cost.of(c);
    const first = this.#first;
    const atMs = countingTime(c, SHORTEST_MS);
    const charges: Charge[] = [];
    for (const { allowance } of first) charges.push(allowance.charge(c, cost, atMs));
    const outcomes = c.deps.state.charge(charges, atMs);
    return outcomes instanceof Promise
      ? outcomes.then((later) => this.#decide(c, cost, { of: first, charges, outcomes: later, atMs }))
      : this.#decide(c, cost, { of: first, charges, outcomes, atMs });
  }

  #decide(c: PolicyContext, cost: number, attempt: Attempt): Awaitable<Decision> {
    const [own, ...wider] = attempt.outcomes;
    const second = this.#second;
    const isSpilling = second !== undefined && !own.allowed && wider.every((outcome) => outcome.allowed);
    if (!isSpilling || this.#isUnknown(own)) return this.#conclude(c, cost, attempt, own);
    const atMs = countingTime(c, SHORTEST_MS);
    const charges = second.map(({ allowance }) => allowance.charge(c, cost, atMs));
    const outcomes = c.deps.state.charge(charges, atMs);
    return outcomes instanceof Promise
      ? outcomes.then((later) => this.#conclude(c, cost, { of: second, charges, outcomes: later, atMs }, own))
      : this.#conclude(c, cost, { of: second, charges, outcomes, atMs }, own);
  }

  #conclude(c: PolicyContext, cost: number, attempt: Attempt, own: LimitOutcome): Decision {
    const { of, charges, outcomes, atMs } = attempt;
    const lost = [own, ...outcomes].find((outcome) => outcome.lost);
    if (lost !== undefined) noteLoss(c, this.#attachment, lost);
    const worst = longestWait(outcomes);
    const refusing = worst === -1 ? undefined : outcomes[worst];
    const deciding = of[Math.max(0, worst)];
    if (refusing !== undefined && this.#isUnknown(refusing))
      return reject(limitsUnavailable(deciding.allowance.level.name));
    this.#own.headers?.appendAll(c, [own], refusing === undefined ? 0 : cost);
    if (deciding !== this.#own) deciding.headers?.append(c, outcomes[Math.max(0, worst)]);
    if (refusing !== undefined) return reject(usedUp(atMs, deciding, refusing));
    if (lost === undefined) this.#giveBackAtEnd(c, charges, atMs);
    return CONTINUE;
  }

  /** Refused since nobody knows, which is another thing than a quota that is used up by this node's own count. */
  #isUnknown({ allowed, lost }: LimitOutcome): boolean {
    return lost === true && !allowed && this.#onLoss === 'closed';
  }

  /** Under way a request counts, since nobody knows better; then it is known how it was answered. */
  #giveBackAtEnd(c: PolicyContext, charges: readonly Charge[], chargedAtMs: number): void {
    const counted = this.#counted;
    if (counted === undefined) return;
    const { state, clock } = c.deps;
    c.onEnd((end) => (counted(end) ? undefined : state.refund(charges, chargedAtMs, clock.now())));
  }
}

function headersOf(preset: HeadersPreset | undefined, level: Allowance['level']): LimitHeaders | undefined {
  const { name, limit, period, kongWindow } = level;
  return limitHeaders(preset, [{ name, limit, windowMs: period.exactMs, kongWindow }]);
}

/** The place of the one that refuses for longest, or -1 where none does. */
function longestWait(outcomes: readonly LimitOutcome[]): number {
  let longest = -1;
  for (let i = 0; i < outcomes.length; i++) {
    const { allowed, retryAfterMs } = outcomes[i];
    if (!allowed && (longest === -1 || retryAfterMs > outcomes[longest].retryAfterMs)) longest = i;
  }
  return longest;
}

function usedUp(atMs: number, { allowance }: Told, outcome: LimitOutcome): PolicyRejection {
  const { name, limit, period } = allowance.level;
  const { retryAfterMs, full } = outcome;
  const reason = full === true ? NO_ROOM : `more than ${limit} per ${period.word}`;
  // A share of the limit, where the store is lost, may be less than one request costs: no wait would do.
  if (!Number.isFinite(retryAfterMs))
    return new PolicyRejection('quota-exceeded', `The quota "${name}" is used up.`, { rule: name, reason });
  const seconds = wholeSeconds(retryAfterMs);
  const renewsAt = new Date(Math.ceil((atMs + retryAfterMs) / 1000) * 1000).toISOString();
  const detail = `The quota "${name}" is used up until ${renewsAt.replace('.000Z', 'Z')}.`;
  return new PolicyRejection('quota-exceeded', detail, {
    rule: name,
    reason,
    headers: ['Retry-After', `${seconds}`],
  });
}

const NO_ROOM = 'the table of quotas has no room for another caller';
