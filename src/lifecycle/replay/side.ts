import {
  type Attachment,
  type Awaitable,
  type BanList,
  type DecisionEntry,
  type EvaluationDeps,
  type JudgedOutcome,
  type ListenerPlan,
  NEVER_BUSY,
  NOBODY_TOLD,
  type RequestView,
  type Snapshot,
  type Undecidable,
} from '../../contract/index.ts';
import { RequestError } from '../../errors.ts';
import {
  type CallerProof,
  Evaluation,
  endOf,
  judge,
  outcomeOf,
  type RecordedHead,
  recordedView,
  refusalUnasked,
  refusedOutcome,
  Unanswered,
  type Verdict,
} from '../../evaluator/index.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { CurrentBans } from '../../state/index.ts';
import { Judging } from './judging.ts';
import { type KnownCallers, RecordedCaller, withWatchedClaims } from './known-callers.ts';
import { type End, endAsRecorded, endForwarded, endOfRecord } from './recorded-end.ts';
import { ReplayCounters } from './replay-counters.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Why a judgement would be a guess, and of whom. */
export interface Undecided {
  readonly reason: Undecidable;
  /** Id of the attachment; undefined where it is the gateway itself. */
  readonly by: string | undefined;
  readonly policy: string | undefined;
}

/** What one revision says of one recorded request. */
export interface Judged {
  readonly outcome: JudgedOutcome;
  readonly undecided: Undecided | undefined;
  readonly entries: readonly DecisionEntry[];
  /** Who called, as this revision knows it. */
  readonly consumer: string | undefined;
  /** Whether it was let on by a counter that reaches back to before the recording. */
  readonly isShort: boolean;
}

/** No listener of this revision would get such a request. */
const UNSERVED: JudgedOutcome = Object.freeze({
  kind: 'refused',
  status: 0,
  route: '',
  by: undefined,
  policy: undefined,
  code: 'no-listener',
  rule: undefined,
});
/** What answers for the caller, given what does so by the record. */
export type ProofBy = (recorded: CallerProof | undefined) => CallerProof | undefined;
const AS_RECORDED: ProofBy = (recorded) => recorded;
const NO_ENTRIES: readonly DecisionEntry[] = Object.freeze([]);

/**
 * One revision in the time of a recording, with counters, bans and lots of its own: nothing that it does is seen by
 * anybody, and nobody is asked.
 */
export class Side {
  readonly #listeners: ReadonlyMap<string, ListenerPlan>;
  readonly #only: ListenerPlan | undefined;
  readonly #time: VirtualTime;
  readonly #callers: KnownCallers | undefined;
  readonly #counters: ReplayCounters;
  readonly #bans: BanList;
  readonly #deps: EvaluationDeps;
  #lots = 0;

  /** `startMs`: when the recording begins. Without `callers` recorded callers are as they were. */
  constructor(snapshot: Snapshot, time: VirtualTime, startMs: number, callers: KnownCallers | undefined) {
    const { listeners } = snapshot;
    const counters = new ReplayCounters(startMs);
    this.#listeners = new Map(listeners.map((listener) => [listener.name, listener]));
    this.#only = listeners.length === 1 ? listeners[0] : undefined;
    this.#time = time;
    this.#callers = callers;
    this.#counters = counters;
    this.#bans = new CurrentBans({ protects: (address) => listeners.some((l) => l.trusts(address)) });
    this.#deps = {
      clock: time,
      // Told apart, and the same in every run.
      random: {
        hex: (bytes) =>
          (this.#lots++)
            .toString(16)
            .padStart(bytes * 2, '0')
            .slice(-bytes * 2),
      },
      state: counters,
      network: {
        send: (request) => (counters.judging?.unanswered ?? new Unanswered()).network.send(request),
      },
      bans: this.#bans,
      load: NEVER_BUSY,
      notices: NOBODY_TOLD,
    };
  }

  /** Whether a ban of this revision's own keeps the request's client out now. */
  bans(head: RecordedHead): boolean {
    const listener = this.#listenerOf(head);
    const view =
      listener === undefined ? undefined : recordedView(head, listener, new Judging(head).unanswered);
    if (view === undefined || view instanceof RequestError) return false;
    return this.#bans.find(view.client, this.#time.now()) !== undefined;
  }

  /** Synchronous as long as the policies are. `proofBy`: what answers for the caller in place of what the record says. */
  judge(head: RecordedHead, proofBy: ProofBy = AS_RECORDED): Awaitable<Judged> {
    const judging = new Judging(head);
    this.#counters.judging = judging;
    const listener = this.#listenerOf(head);
    if (listener === undefined) return this.#unasked(judging, UNSERVED);
    const view = recordedView(head, listener, judging.unanswered);
    if (view === undefined) {
      judging.unanswered.note('failed');
      return this.#unasked(judging, UNSERVED);
    }
    if (view instanceof RequestError) return this.#unasked(judging, refusedOutcome(view));
    const refusal = refusalUnasked(head, view, this.#deps);
    if (refusal !== undefined) return this.#unasked(judging, refusedOutcome(refusal));
    return this.#ask(judging, listener, view, proofBy(this.#callerOf(judging)));
  }

  #listenerOf({ record }: RecordedHead): ListenerPlan | undefined {
    return this.#listeners.get(record.listener) ?? this.#only;
  }

  #ask(
    judging: Judging,
    listener: ListenerPlan,
    view: RequestView,
    caller: CallerProof | undefined,
  ): Awaitable<Judged> {
    const evaluation = new Evaluation(listener, view, this.#deps, caller);
    judging.follow(evaluation);
    const { head } = judging;
    try {
      const verdict = judge(evaluation, head.bodyBytes, () => bodyOf(judging, evaluation));
      return verdict instanceof Promise
        ? verdict.then(
            (later) => this.#judged(judging, evaluation, later),
            () => failed(judging, evaluation),
          )
        : this.#judged(judging, evaluation, verdict);
    } catch {
      return failed(judging, evaluation);
    }
  }

  /** Nobody is known as anonymous: what such a request presented is asked for again. */
  #callerOf({ head, unanswered }: Judging): RecordedCaller | undefined {
    const { identity: recorded, withheld } = head.record;
    if (recorded === undefined || recorded.anonymous === true) return undefined;
    const identity = this.#callers === undefined ? recorded : this.#callers.of(recorded, this.#time.now());
    if (identity === undefined) return undefined;
    const watched = withWatchedClaims(identity, withheld.claims ?? NO_NAMES, () => unanswered.look());
    const callers = this.#callers;
    if (callers === undefined) return new RecordedCaller(watched, unanswered);
    return new RecordedCaller(watched, unanswered, (a, kind) => callers.takes(a, kind, head.record));
  }

  #unasked({ unanswered }: Judging, outcome: JudgedOutcome): Judged {
    const [reason] = unanswered.reasons;
    const undecided = reason === undefined ? undefined : { reason, by: undefined, policy: undefined };
    return { outcome, undecided, entries: NO_ENTRIES, consumer: undefined, isShort: false };
  }

  #judged(judging: Judging, evaluation: Evaluation, verdict: Verdict): Judged {
    const undecided = undecidedOf(judging, evaluation, verdict);
    if (evaluation.awaitsEnd) this.#endLater(judging, evaluation, verdict, undecided !== undefined);
    return {
      outcome: outcomeOf(verdict, evaluation),
      undecided,
      entries: evaluation.entries,
      consumer: evaluation.facts.identity?.consumer,
      isShort: verdict.kind !== 'reject' && judging.shortfall('past') !== undefined,
    };
  }

  /** A request that goes on ends when it did then, later by what it had to wait for its turn. */
  #endLater(judging: Judging, evaluation: Evaluation, verdict: Verdict, isGuess: boolean): void {
    const { record } = judging.head;
    const onUnknown = (): void => this.#counters.answerIsMissing();
    const end = (how: End) => (): Awaitable<void> => {
      this.#counters.judging = judging;
      return evaluation.end(how, leftAlone);
    };
    const nowMs = this.#time.now() + judging.waitedMs;
    if (isGuess) return this.#time.at(endOfRecord(nowMs, record), end(endAsRecorded(record, onUnknown)));
    if (verdict.kind !== 'forward') return this.#time.at(nowMs, end(endOf(verdict, 0)));
    const { upstream, durationMs } = record;
    if (upstream !== undefined && evaluation.pipeline.response.length > 0) {
      const headMs = Math.min(upstream.ms, durationMs);
      this.#time.at(nowMs + headMs, () => this.#answer(judging, evaluation, upstream.status));
    }
    this.#time.at(endOfRecord(nowMs, record), end(endForwarded(record, onUnknown)));
  }

  /** For what policies keep in mind of an answer: what they say of it comes too late to be compared. */
  async #answer(judging: Judging, evaluation: Evaluation, status: number): Promise<void> {
    this.#counters.judging = judging;
    await evaluation.runResponse({ status, headers: new HeaderList() });
  }
}

const NO_NAMES: readonly string[] = Object.freeze([]);
const NOTHING = new Uint8Array();

/** What fails at the end of a request decides nothing. */
function leftAlone(): void {}

function bodyOf({ head, unanswered }: Judging, evaluation: Evaluation): Uint8Array | undefined {
  const { body } = head.record;
  if (body.kind === 'none') return NOTHING;
  if (body.kind === 'whole') return body.bytes;
  const reader = evaluation.bodyReader;
  if (reader !== undefined) unanswered.note('body', reader);
  return undefined;
}

function failed({ unanswered }: Judging, evaluation: Evaluation): Judged {
  unanswered.note('failed');
  const { entries, asked } = evaluation;
  const undecided = { reason: 'failed', by: asked?.id, policy: asked?.policy } as const;
  return { outcome: UNSERVED, undecided, entries, consumer: undefined, isShort: false };
}

/** What policies say that cannot know now: here they never can. */
const UNKNOWABLE: ReadonlyMap<string, Undecidable> = new Map([
  ['identity-unavailable', 'network'],
  ['list-unavailable', 'failed'],
]);

function undecidedOf(judging: Judging, { entries }: Evaluation, verdict: Verdict): Undecided | undefined {
  const { unanswered } = judging;
  const [reason] = unanswered.reasons;
  if (reason !== undefined) return undecidedBy(reason, unanswered.askerOf(reason));
  for (const { mode, code, attachment: by, policy } of entries) {
    const unknowable = mode === 'enforce' && code !== undefined ? UNKNOWABLE.get(code) : undefined;
    if (unknowable !== undefined) return { reason: unknowable, by, policy };
  }
  const decider = verdict.kind === 'reject' ? verdict.by : undefined;
  // What refuses without counting refuses whatever the counters before it would have said.
  if (verdict.kind === 'reject' && decider === undefined) return undefined;
  for (const what of ['sampled', 'upstream'] as const) {
    const by = judging.shortfall(what, decider);
    if (by !== undefined) return undecidedBy(what, by);
  }
  return undefined;
}

const undecidedBy = (reason: Undecidable, a: Attachment | undefined): Undecided => ({
  reason,
  by: a?.id,
  policy: a?.policy,
});
