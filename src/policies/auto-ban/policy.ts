import {
  type Awaitable,
  CONTINUE,
  type CompileDeps,
  type Decision,
  type ImposedBan,
  type ImpositionOutcome,
  type Notice,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  type RequestEnd,
  reject,
  type Sum,
} from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import { misdeedOf, noteLoss } from '../../limits/index.ts';
import { type BanRules, banTime, readRules } from './rules.ts';
import { type AutoBanConfig, autoBanOutline, type autoBanSchema } from './schema.ts';
import { type Suspect, suspects } from './subject.ts';

/** Bans whose requests are rejected too often. */
export const autoBan: PolicyDefinition<typeof autoBanSchema> = {
  ...autoBanOutline,
  compile(config, deps): Policy {
    return new AutoBanPolicy(config, deps);
  },
};

const ID_BYTES = 6;

const NOTICES: Readonly<Record<ImpositionOutcome, Notice | undefined>> = Object.freeze({
  imposed: 'ban-imposed',
  known: undefined,
  protected: 'ban-protected',
  full: 'ban-no-room',
});

class AutoBanPolicy implements Policy {
  readonly #rules: BanRules;
  readonly #suspects: (c: PolicyContext) => Suspect;
  readonly #attachment: string;
  readonly #reason: string;

  constructor(config: AutoBanConfig, deps: CompileDeps) {
    this.#rules = readRules(config);
    this.#suspects = suspects(config.by, deps);
    this.#attachment = deps.attachment;
    this.#reason = `${config.after} rejections (${config.for.join(', ')}) in ${config.window}`;
  }

  /** An address is refused by the listener, before any policy; here it is refused in shadow alone. */
  request(c: PolicyContext): Decision {
    const suspect = this.#suspects(c);
    const refused = this.#refusal(c, suspect);
    if (refused !== undefined) return refused;
    c.onEnd((end) => this.#ended(c, suspect, end));
    return CONTINUE;
  }

  #refusal(c: PolicyContext, { subject }: Suspect): Decision | undefined {
    const { bans } = c.deps;
    if (!c.shadow) {
      if (subject.caller === undefined) return undefined;
      const ban = bans.findCaller(subject.caller, c.now);
      return ban === undefined ? undefined : reject(banned(ban.id, `${subject.caller} is banned`));
    }
    const ban = bans.imposedOn(subject, true, c.now);
    return ban === undefined || ban.untilMs <= c.now ? undefined : reject(wouldBeBanned(ban));
  }

  #ended(c: PolicyContext, suspect: Suspect, end: RequestEnd): Awaitable<void> {
    const kind = misdeedOf(end);
    if (kind === undefined || !this.#rules.kinds.has(kind)) return;
    const { state, bans, clock } = c.deps;
    const nowMs = clock.now();
    const last = bans.imposedOn(suspect.subject, c.shadow, nowMs);
    // It was under way when the ban came: what it did has been paid for.
    if (last !== undefined && last.untilMs > nowMs) return;
    const round = last?.round ?? 0;
    const { scope, key } = suspect;
    const counter = c.shadow ? `${scope} in shadow` : scope;
    const counted = state.tally(counter, `${round} ${key}`, this.#rules.sum, 1, nowMs);
    if (counted instanceof Promise) return counted.then((later) => this.#counted(c, suspect, round, later));
    this.#counted(c, suspect, round, counted);
  }

  /**
   * Requests that end at the same time, in any worker, have a sum each. All from the one that is too many on ask for the
   * ban of this round, and all but the first find it there.
   */
  #counted(c: PolicyContext, suspect: Suspect, round: number, counted: Sum): void {
    noteLoss(c, this.#attachment, counted);
    // A share of the window before is no whole number. Where a loss leaves nothing counted, it is 0.
    if (Math.round(counted.sum) >= this.#rules.after) this.#ban(c, suspect, round);
  }

  #ban(c: PolicyContext, suspect: Suspect, round: number): void {
    const { sum, forgetMs } = this.#rules;
    const { bans, clock, random, notices } = c.deps;
    const sinceMs = clock.now();
    const strike = (bans.imposedOn(suspect.subject, c.shadow, sinceMs)?.strike ?? 0) + 1;
    const untilMs = sinceMs + banTime(this.#rules, strike);
    const outcome = bans.impose({
      ...suspect.subject,
      id: random.hex(ID_BYTES),
      sinceMs,
      untilMs,
      // What was counted towards it must be over first, or its round would begin with that.
      forgetMs: untilMs + Math.max(forgetMs, 2 * sum.windowMs),
      reason: this.#reason,
      by: this.#attachment,
      strike,
      round: round + 1,
      shadow: c.shadow,
    });
    const notice = outcome === 'imposed' && c.shadow ? 'ban-in-shadow' : NOTICES[outcome];
    if (notice !== undefined) notices.count(this.#attachment, notice);
  }
}

/** Neither why nor for how long is the caller's to know. */
const banned = (id: string, reason: string): PolicyRejection =>
  new PolicyRejection('caller-banned', 'This caller may not call here.', { rule: `ban:${id}`, reason });

/** As the record of an attachment in shadow has it. */
const wouldBeBanned = ({ id, network }: ImposedBan): PolicyRejection =>
  new PolicyRejection(network === undefined ? 'caller-banned' : 'address-banned', 'Nobody is told of this.', {
    rule: `ban:${id}`,
    reason: 'would be banned',
  });
