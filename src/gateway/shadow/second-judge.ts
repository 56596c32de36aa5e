import {
  type Awaitable,
  type BanList,
  type Clock,
  type EvaluationDeps,
  type JudgedOutcome,
  type ListenerPlan,
  NOBODY_TOLD,
  type RequestEnd,
  type Snapshot,
  type Undecidable,
} from '../../contract/index.ts';
import { type ErrorCode, RequestError } from '../../errors.ts';
import {
  Evaluation,
  endOf,
  judge,
  outcomeOf,
  refusalUnasked,
  refusedOutcome,
  Unanswered,
  type Verdict,
  viewOf,
} from '../../evaluator/index.ts';
import { listenerKey } from '../listener-key.ts';
import { ShadowCounters, type ShadowScopes } from './counters.ts';
import type { SeenRequest } from './seen.ts';

/** What second judgements share with the live ones, and what they have of their own. */
export interface JudgeWorld extends Pick<EvaluationDeps, 'clock' | 'random' | 'load'> {
  readonly scopes: ShadowScopes;
  readonly bans: BanList;
  /** Told of what policies fail in when a request has ended. */
  readonly onDefect: (cause: unknown) => void;
}

/** What a second judgement came to. */
export interface SecondJudgement {
  /** Undefined where it would be a guess. */
  readonly outcome: JudgedOutcome | undefined;
  /** Why; undefined where it is none. */
  readonly undecided: Undecidable | undefined;
  /** Scopes of the counters that it asked: here less is counted than for real. */
  readonly asked: readonly string[];
}

/** A judgement that came to nothing since something was not at hand for it. */
const NOT_AT_HAND: ReadonlySet<ErrorCode> = new Set([
  'identity-unavailable',
  'limits-unavailable',
  'list-unavailable',
]);

/** The time of the request that is judged, which has passed already. */
class RequestTime implements Clock {
  readonly #clock: Clock;
  nowMs: number;

  constructor(clock: Clock, nowMs: number) {
    this.#clock = clock;
    this.nowMs = nowMs;
  }

  now(): number {
    return this.nowMs;
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }
}

/**
 * Judges requests once more, by a revision of which it has policies of its own: what these remember and count is in
 * nobody's way, nobody outside is asked, and nobody is banned.
 */
export class SecondJudge {
  readonly #snapshot: Snapshot;
  readonly #world: JudgeWorld;
  #running = 0;
  #isClosed = false;

  constructor(snapshot: Snapshot, world: JudgeWorld) {
    this.#snapshot = snapshot;
    this.#world = world;
  }

  /** Undefined where the revision does not listen there. Never throws, nor rejects, but for defects. */
  judge(seen: SeenRequest): Awaitable<SecondJudgement> | undefined {
    const plan = this.#planFor(seen.plan);
    if (plan === undefined) return undefined;
    return new OneJudgement(seen, seen.home.seenBy(plan), this.#world).judge();
  }

  /** To be called around whatever uses its policies: they are not disposed meanwhile. */
  begin(): void {
    this.#running++;
  }

  async ended(): Promise<void> {
    this.#running--;
    if (this.#isClosed && this.#running === 0) await this.#snapshot.dispose();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#running === 0) await this.#snapshot.dispose();
  }

  #planFor(live: ListenerPlan): ListenerPlan | undefined {
    const plan = this.#snapshot.listeners.find(({ name }) => name === live.name);
    return plan !== undefined && listenerKey(plan) === listenerKey(live) ? plan : undefined;
  }
}

class OneJudgement {
  readonly #seen: SeenRequest;
  readonly #plan: ListenerPlan;
  readonly #unanswered = new Unanswered();
  readonly #asked: string[] = [];
  readonly #time: RequestTime;
  readonly #deps: EvaluationDeps;
  readonly #onDefect: (cause: unknown) => void;

  constructor(seen: SeenRequest, plan: ListenerPlan, world: JudgeWorld) {
    const { clock, random, load, scopes, bans } = world;
    this.#seen = seen;
    this.#plan = plan;
    this.#onDefect = world.onDefect;
    this.#time = new RequestTime(clock, seen.atMs);
    const { network } = this.#unanswered;
    const note = (reason: Undecidable): void => this.#unanswered.note(reason);
    const untilMs = seen.atMs + seen.durationMs;
    const visit = { fromMs: seen.atMs, untilMs, time: this.#time, asked: this.#asked, note };
    const state = new ShadowCounters(scopes, visit);
    this.#deps = { clock: this.#time, random, state, network, bans, load, notices: NOBODY_TOLD };
  }

  judge(): Awaitable<SecondJudgement> {
    const { source, expect, bodyBytes } = this.#seen;
    const view = viewOf(source, this.#plan);
    if (view instanceof RequestError) return this.#refused(view);
    const unasked = refusalUnasked({ method: source.method, expect }, view, this.#deps);
    if (unasked !== undefined) return this.#refused(unasked);
    const evaluation = new Evaluation(this.#plan, view, this.#deps);
    const verdict = judge(evaluation, bodyBytes, () => this.#body());
    return verdict instanceof Promise
      ? verdict.then((later) => this.#judged(later, evaluation))
      : this.#judged(verdict, evaluation);
  }

  #body(): Uint8Array | undefined {
    const { body } = this.#seen;
    if (body === undefined) this.#unanswered.note('body');
    return body;
  }

  #refused(error: Parameters<typeof refusedOutcome>[0]): SecondJudgement {
    return { outcome: refusedOutcome(error), undecided: undefined, asked: this.#asked };
  }

  #judged(verdict: Verdict, evaluation: Evaluation): SecondJudgement {
    const { outcome: live, hasOpenBody } = this.#seen;
    const [reason] = this.#unanswered.reasons;
    let undecided: Undecidable | undefined = reason;
    if (verdict.kind === 'reject' && NOT_AT_HAND.has(verdict.error.code)) undecided ??= 'network';
    if (verdict.kind === 'forward' && live.code === 'payload-too-large' && hasOpenBody) undecided ??= 'body';
    if (evaluation.awaitsEnd) this.#end(verdict, evaluation);
    const outcome = undecided === undefined ? outcomeOf(verdict, evaluation) : undefined;
    return { outcome, undecided, asked: this.#asked };
  }

  /** As the live one ended, and when, where it went on in both; else at once. */
  #end(verdict: Verdict, evaluation: Evaluation): void {
    const { outcome: live, end, atMs, durationMs } = this.#seen;
    const hasGoneOn = verdict.kind === 'forward' && live.kind === 'forward';
    if (hasGoneOn) this.#time.nowMs = atMs + durationMs;
    const told: Omit<RequestEnd, 'decisions'> = hasGoneOn ? end : endOf(verdict, 0);
    void evaluation.end(told, this.#onDefect);
  }
}
