import {
  type Awaitable,
  CONTINUE,
  type CompileDeps,
  type Decision,
  type Held,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
  type Slot,
  type SlotOutcome,
  type SlotRule,
  type Waiter,
} from '../../contract/index.ts';
import { InternalError, PolicyRejection } from '../../errors.ts';
import {
  type CallerKeys,
  callerKeys,
  limitName,
  limitsUnavailable,
  noteLoss,
  type RequestPriority,
  requestPriority,
} from '../../limits/index.ts';
import { type HoldTimes, holdTimesOf } from './hold-times.ts';
import { type ConcurrencyConfig, concurrencyOutline, type concurrencySchema } from './schema.ts';
import { readSettings, type Settings } from './settings.ts';

/** Limits how many requests of a caller are under way at the same time, exactly, whichever worker has them. */
export const concurrency: PolicyDefinition<typeof concurrencySchema> = {
  ...concurrencyOutline,
  compile(config, deps): Policy {
    return new ConcurrencyPolicy(config, deps);
  },
};

type Refused = Extract<SlotOutcome, { readonly granted: false }>;

class ConcurrencyPolicy implements Policy {
  readonly #settings: Settings;
  readonly #attachment: string;
  readonly #keys: CallerKeys;
  readonly #priority: RequestPriority;
  readonly #name: string;
  /** What answers say of the limit; undefined for nothing. */
  readonly #told: string | undefined;
  readonly #holdTimes: Held<HoldTimes>;

  constructor(config: ConcurrencyConfig, deps: CompileDeps) {
    this.#settings = readSettings(config);
    this.#attachment = deps.attachment;
    this.#keys = callerKeys(config.by, deps);
    this.#priority = requestPriority(config.priority, deps);
    this.#name = config.name ?? limitName(deps.attachment, deps.route);
    this.#told =
      config.headers === 'none' ? undefined : `"${this.#name}";q=${config.limit};qu="concurrent-requests"`;
    this.#holdTimes = deps.resources.acquire(holdTimesOf(deps.attachment));
  }

  dispose(): void {
    this.#holdTimes.release();
  }

  /** Synchronous for a request that does not have to wait, as long as the state is. */
  request(c: PolicyContext): Awaitable<Decision> {
    const { scope, key } = this.#keys(c);
    const rule = this.#ruleOf(c);
    const waiter: Waiter = {};
    const outcome = c.deps.state.acquire(scope, key, rule, c.now, waiter);
    if (!(outcome instanceof Promise)) return this.#decide(c, outcome);
    // Asked for before it is known whether there will be a place: a client that goes away must not keep one waiting.
    c.onEnd(() => waiter.cancel?.());
    return outcome.then((later) => this.#decideLater(c, later));
  }

  #ruleOf(c: PolicyContext): SlotRule {
    const { rules, deadlineMs, deadlineHeader } = this.#settings;
    const rule = rules.get(this.#priority(c));
    if (rule === undefined) throw new InternalError('a priority without a rule');
    if (rule.queue === 0) return rule;
    // Nobody waits for what is in shadow: the request that it looks at is a live one.
    if (c.shadow) return { ...rule, queue: 0, waitMs: 0 };
    if (deadlineMs === Number.POSITIVE_INFINITY && deadlineHeader === undefined) return rule;
    const leftMs = this.#leftMs(c);
    return leftMs >= rule.waitMs ? rule : { ...rule, waitMs: Math.max(0, leftMs) };
  }

  /** Until nobody is there any more to take the answer. */
  #leftMs(c: PolicyContext): number {
    const { deadlineMs, deadlineHeader } = this.#settings;
    const patienceMs = deadlineHeader === undefined ? undefined : patience(c, deadlineHeader);
    return c.now + Math.min(deadlineMs, patienceMs ?? deadlineMs) - c.deps.clock.now();
  }

  #decideLater(c: PolicyContext, outcome: SlotOutcome): Decision {
    if (!outcome.granted || this.#leftMs(c) > 0) return this.#decide(c, outcome);
    outcome.slot.release();
    return this.#refuse(c, `${this.#underWay(outcome.held)}, its deadline passed while it waited`);
  }

  #decide(c: PolicyContext, outcome: SlotOutcome): Decision {
    if (!outcome.granted) return this.#refusal(c, outcome);
    noteLoss(c, this.#attachment, outcome);
    this.#tell(c, `r=${Math.max(0, this.#settings.limit - outcome.held)}`);
    this.#hold(c, outcome.slot);
    return CONTINUE;
  }

  /** At once where the request has ended meanwhile. */
  #hold(c: PolicyContext, slot: Slot): void {
    const { clock } = c.deps;
    const sinceMs = clock.monotonic();
    c.onEnd(() => {
      slot.release();
      this.#holdTimes.resource.note(clock.monotonic() - sinceMs);
    });
  }

  #refusal(c: PolicyContext, { why, held }: Refused): Decision {
    if (why === 'lost') {
      noteLoss(c, this.#attachment, { lost: true });
      return reject(limitsUnavailable(this.#name));
    }
    return this.#refuse(c, this.#reason(c, why, held));
  }

  #refuse(c: PolicyContext, reason: string): Decision {
    const { limit, queue } = this.#settings;
    const seconds = this.#holdTimes.resource.retrySeconds(limit, queue);
    this.#tell(c, `r=0;t=${seconds}`);
    return reject(
      new PolicyRejection(
        'concurrency-limited',
        `Too many requests at the same time. Try again in ${seconds} s.`,
        { rule: this.#name, reason, headers: ['Retry-After', `${seconds}`] },
      ),
    );
  }

  #reason(c: PolicyContext, why: Exclude<Refused['why'], 'lost'>, held: number): string {
    if (why === 'no-room') return 'the table of places has no room for another caller';
    const underWay = this.#underWay(held);
    if (why === 'full') {
      return c.shadow && this.#settings.queue > 0 ? `${underWay}, it would have to wait` : underWay;
    }
    if (why === 'queue-full') return `${underWay}, queue full`;
    return why === 'timeout'
      ? `${underWay}, waited in vain`
      : `${underWay}, the client went away while it waited`;
  }

  #underWay(held: number): string {
    return `${held} of ${this.#settings.limit} under way`;
  }

  #tell({ edits }: PolicyContext, standing: string): void {
    if (this.#told === undefined) return;
    edits.appendResponseHeader('RateLimit-Policy', this.#told);
    edits.appendResponseHeader('RateLimit', `"${this.#name}";${standing}`);
  }
}

/** In milliseconds, as the client says; undefined for what is no whole number, or is said twice. */
function patience({ request: { headers } }: PolicyContext, name: string): number | undefined {
  const text = headers.count(name) === 1 ? headers.get(name) : undefined;
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
}
