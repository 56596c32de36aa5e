import type { Awaitable, CounterState, Decision, GcraRule, LimitOutcome } from '../../contract/index.ts';
import { CONTINUE } from '../../contract/index.ts';
import type { LimitHeaders, Misdeed } from '../../limits/index.ts';
import { after, together } from './after.ts';
import { pointsText, rateText } from './explanation.ts';
import type { Scopes } from './scopes.ts';
import { allowanceOf, type Conduct, causeOf, costOf, limitOf, MINUTE_MS } from './score.ts';
import { type BehaviourSettings, countedKinds, type Settings } from './settings.ts';

/** For so long a worker goes by what it read: other workers' news may be so late. */
const FRESH_MS = 100;
/** What is usual changes slowly. */
const HISTORY_FRESH_MS = 10_000;
/** Lets one request a minute through, whichever worker has it. */
const ONCE_A_MINUTE: GcraRule = Object.freeze({ limit: 1, windowMs: MINUTE_MS, burst: 1 });

/** Whose standing it is. */
export interface Caller {
  readonly scopes: Scopes;
  readonly key: string;
  /** For the log: whether the key is an address or whatever the document asks for. */
  readonly isAddress: boolean;
}

/**
 * A caller as one worker knows it. The sums are in the counters that all workers share; here they are remembered for a
 * moment, and what does not hurry is added up before it goes there.
 */
export class Standing implements Conduct {
  readonly caller: Caller;
  readonly #settings: Settings;
  readonly #behaviour: BehaviourSettings;
  points = 0;
  faultless = 0;
  recent = 0;
  allowance = Number.POSITIVE_INFINITY;
  /** The limit it has now. */
  limit: number;
  /** What a request costs under it. */
  cost: number;
  /** Why the limit is tighter: `limit 100 → 35: 41 wrong credentials in 5m`; undefined where it is not. */
  why: string | undefined = undefined;
  /** Lets a request on, and says so. */
  letOn: Decision = CONTINUE;
  /** What answers say of the limit, made by whoever asks first. */
  headers: LimitHeaders | undefined = undefined;
  /** The limit that was last told of. */
  told: number;
  #freshUntilMs = 0;
  #historyUntilMs = 0;
  #comesBack = false;
  #newRequests = 0;
  #newFaultless = 0;
  #newAdmitted = 0;

  constructor(caller: Caller, settings: Settings, behaviour: BehaviourSettings) {
    this.caller = caller;
    this.#settings = settings;
    this.#behaviour = behaviour;
    this.limit = settings.limit;
    this.told = settings.limit;
    this.cost = settings.unit;
  }

  get isTightened(): boolean {
    return this.why !== undefined;
  }

  /** A request came: brings what is known up to date, where that is due. */
  came(state: CounterState, nowMs: number): Awaitable<void> {
    this.#newRequests++;
    // Whoever comes meanwhile goes by what is known.
    if (isBefore(nowMs, this.#freshUntilMs, FRESH_MS)) return undefined;
    this.#freshUntilMs = nowMs + FRESH_MS;
    const history = this.#history(state, nowMs);
    return history instanceof Promise
      ? history.then(() => this.#refresh(state, nowMs))
      : this.#refresh(state, nowMs);
  }

  /** A request was let on. What is unusual teaches nothing: a flood must not make itself usual. */
  admitted(): void {
    if (this.recent <= this.allowance) this.#newAdmitted++;
  }

  endedWell(): void {
    this.#newFaultless++;
  }

  endedBadly(state: CounterState, kind: Misdeed, points: number, nowMs: number): Awaitable<void> {
    const { scopes, key } = this.caller;
    const { windowMs } = this.#behaviour;
    const sums = together([
      state.tally(scopes.points, key, windowMs, points, nowMs),
      state.tally(scopes.kinds[kind], key, windowMs, 1, nowMs),
    ]);
    return after(sums, () => {
      this.#freshUntilMs = 0;
    });
  }

  #refresh(state: CounterState, nowMs: number): Awaitable<void> {
    const { scopes, key } = this.caller;
    const { windowMs, baseline } = this.#behaviour;
    const [requests, faultless] = [this.#newRequests, this.#newFaultless];
    this.#newRequests = 0;
    this.#newFaultless = 0;
    const sums = together([
      state.tally(scopes.points, key, windowMs, 0, nowMs),
      state.tally(scopes.faultless, key, windowMs, faultless, nowMs),
      baseline === undefined ? 0 : state.tally(scopes.recent, key, MINUTE_MS, requests, nowMs),
    ]);
    return sums instanceof Promise
      ? sums.then((later) => this.#judge(state, nowMs, later))
      : this.#judge(state, nowMs, sums);
  }

  /** Learns what is usual from a caller that comes back: one that never does takes no room. */
  #history(state: CounterState, nowMs: number): Awaitable<void> {
    const { baseline } = this.#behaviour;
    if (baseline === undefined || isBefore(nowMs, this.#historyUntilMs, HISTORY_FRESH_MS)) return undefined;
    if (!this.#comesBack) {
      this.#comesBack = true;
      return undefined;
    }
    this.#historyUntilMs = nowMs + HISTORY_FRESH_MS;
    const { scopes, key } = this.caller;
    const { learnMs } = baseline;
    const admitted = this.#newAdmitted;
    this.#newAdmitted = 0;
    const once = state.gcra(scopes.minute, key, ONCE_A_MINUTE, 1, nowMs);
    return after(once, ({ allowed, lost }: LimitOutcome) => {
      const minute = allowed && lost === undefined ? 1 : 0;
      const sums = together([
        state.tally(scopes.admitted, key, learnMs, admitted, nowMs),
        state.tally(scopes.minutes, key, learnMs, minute, nowMs),
      ]);
      return after(sums, ([all, minutes]) => {
        this.allowance = allowanceOf(all, minutes, baseline);
      });
    });
  }

  #judge(
    state: CounterState,
    nowMs: number,
    [points, faultless, recent]: readonly number[],
  ): Awaitable<void> {
    this.points = points;
    this.faultless = faultless;
    this.recent = recent;
    const settings = this.#settings;
    const current = limitOf(this, settings, this.#behaviour);
    const limit = Math.max(1, Math.floor(current));
    this.cost = costOf(current, settings);
    if (limit !== this.limit) this.headers = undefined;
    this.limit = limit;
    if (limit === settings.limit) {
      this.why = undefined;
      this.letOn = CONTINUE;
      return undefined;
    }
    if (causeOf(this, settings, this.#behaviour) === 'rate') {
      this.#explain(rateText(this.recent, this.allowance));
      return undefined;
    }
    const { scopes, key } = this.caller;
    const { windowMs, windowText } = this.#behaviour;
    const kinds = countedKinds(this.#behaviour);
    const counts = together(kinds.map((kind) => state.tally(scopes.kinds[kind], key, windowMs, 0, nowMs)));
    return after(counts, (known) => this.#explain(pointsText(kinds, known, windowText)));
  }

  #explain(cause: string): void {
    this.why = `limit ${this.#settings.limit} → ${this.limit}: ${cause}`;
    this.letOn = { kind: 'continue', rule: this.why };
  }
}

/** A clock that was set back makes nothing last longer than it was to. */
const isBefore = (nowMs: number, untilMs: number, longestMs: number): boolean =>
  nowMs < untilMs && untilMs - nowMs <= longestMs;
