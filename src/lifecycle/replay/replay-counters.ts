import type {
  Charge,
  CounterState,
  GcraRule,
  LimitOutcome,
  SlidingWindowRule,
  SlotOutcome,
  SlotRule,
  Sum,
  SumRule,
} from '../../contract/index.ts';
import { createLocalCounters } from '../../state/index.ts';
import { FuturePlaces } from './future-places.ts';
import type { Judging } from './judging.ts';
import { endOfRecord } from './recorded-end.ts';

/** So many counters that hang on unknown answers are told apart; with more, all do. */
const MAX_NAMES = 100_000;
/** Samples are of stretches of time of this length: what was left out may have come so much later. */
const SAMPLED_MS = 10_000;

/**
 * Counters of one revision's replay: empty at its start, in the recording's time, and nobody else's. They note what the
 * recording cannot tell of what they counted.
 */
export class ReplayCounters implements CounterState {
  readonly #counters = createLocalCounters();
  readonly #places = new FuturePlaces();
  /** Scopes that have counted one of a sample, and until when that still tells in what they count. */
  readonly #sampled = new Map<string, number>();
  /** Counters that would be others if answers were known that are not. */
  readonly #unknown = new Set<string>();
  #areAllUnknown = false;
  readonly #startMs: number;
  /** Whose request is judged, or has ended. */
  judging: Judging | undefined = undefined;

  /** `startMs`: when the recording begins. */
  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  gcra(
    scope: string,
    key: string,
    rule: GcraRule,
    cost: number,
    nowMs: number,
  ): LimitOutcome | Promise<LimitOutcome> {
    const memoryMs = (rule.windowMs * rule.burst) / rule.limit;
    this.#asked(scope, key, nowMs - memoryMs, nowMs + memoryMs);
    return this.#counters.gcra(scope, key, rule, cost, nowMs);
  }

  slidingWindow(
    scope: string,
    key: string,
    rule: SlidingWindowRule,
    cost: number,
    nowMs: number,
  ): LimitOutcome | Promise<LimitOutcome> {
    this.#asked(scope, key, nowMs - 2 * rule.windowMs, nowMs + 2 * rule.windowMs);
    return this.#counters.slidingWindow(scope, key, rule, cost, nowMs);
  }

  charge(
    charges: readonly Charge[],
    nowMs: number,
  ): readonly LimitOutcome[] | Promise<readonly LimitOutcome[]> {
    for (const charge of charges) {
      const { fromMs, untilMs } = memoryOf(charge, nowMs);
      this.#asked(charge.scope, charge.key, fromMs, untilMs);
    }
    return this.#counters.charge(charges, nowMs);
  }

  refund(charges: readonly Charge[], chargedAtMs: number, nowMs: number): void | Promise<void> {
    return this.#counters.refund(charges, chargedAtMs, nowMs);
  }

  tally(scope: string, key: string, rule: SumRule, amount: number, nowMs: number): Sum | Promise<Sum> {
    this.#asked(scope, key, nowMs - 2 * rule.windowMs, nowMs + 2 * rule.windowMs);
    return this.#counters.tally(scope, key, rule, amount, nowMs);
  }

  acquire(scope: string, key: string, rule: SlotRule, nowMs: number): SlotOutcome {
    this.#asked(scope, key, this.#startMs, nowMs);
    const { judging } = this;
    const record = judging?.head.record;
    const { outcome, waitedMs, isUncertain } = this.#places.acquire(`${scope}\n${key}`, rule, nowMs, {
      endOf: (fromMs) => (record === undefined ? fromMs : endOfRecord(fromMs, record)),
      isAnswered: record?.upstream !== undefined,
    });
    if (judging !== undefined) {
      judging.waitedMs = Math.max(judging.waitedMs, waitedMs);
      if (isUncertain && judging.asker !== undefined) judging.note(judging.asker, 'upstream');
    }
    return outcome;
  }

  /** The policy asked now goes by an answer that there was none of: what it counted may not be what it would be. */
  answerIsMissing(): void {
    const { judging } = this;
    const asker = judging?.asker;
    if (judging === undefined || asker === undefined) return;
    if (this.#unknown.size >= MAX_NAMES) this.#areAllUnknown = true;
    else for (const [by, name] of judging.counters) if (by === asker) this.#unknown.add(name);
  }

  /** `fromMs`: how far back the counter remembers; `untilMs`: how long what is counted now is remembered. */
  #asked(scope: string, key: string, fromMs: number, untilMs: number): void {
    const { judging } = this;
    if (judging === undefined) return;
    if (judging.head.record.weight > 1) this.#isSampled(scope, untilMs + SAMPLED_MS);
    const { asker } = judging;
    if (asker === undefined) return;
    const sampledUntilMs = this.#sampled.size === 0 ? undefined : this.#sampled.get(scope);
    if (sampledUntilMs !== undefined && sampledUntilMs > judging.head.record.atMs)
      judging.note(asker, 'sampled');
    if (fromMs < this.#startMs) judging.note(asker, 'past');
    const name = `${scope}\n${key}`;
    judging.counters.push([asker, name]);
    if (this.#areAllUnknown || (this.#unknown.size > 0 && this.#unknown.has(name)))
      judging.note(asker, 'upstream');
  }

  #isSampled(scope: string, untilMs: number): void {
    const known = this.#sampled.get(scope);
    if (known === undefined || known < untilMs) this.#sampled.set(scope, untilMs);
  }
}

/** When a counter began, and when it will have forgotten what is charged now. */
function memoryOf(charge: Charge, nowMs: number): { readonly fromMs: number; readonly untilMs: number } {
  const { kind, rule } = charge;
  if (kind === 'fixed-window' || kind === 'quota') return { fromMs: rule.startMs, untilMs: rule.endMs };
  const memoryMs = kind === 'gcra' ? (rule.windowMs * rule.burst) / rule.limit : 2 * rule.windowMs;
  return { fromMs: nowMs - memoryMs, untilMs: nowMs + memoryMs };
}
