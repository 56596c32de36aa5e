import type { Awaitable, CounterState, Decision, GcraRule, LimitOutcome, Sum } from '../../contract/index.ts';
import { CONTINUE } from '../../contract/index.ts';
import type { LimitHeaders, Misdeed } from '../../limits/index.ts';
import { after, lostOf, together } from './after.ts';
import { lostText, pointsText, rateText } from './explanation.ts';
import type { Scopes } from './scopes.ts';
import { allowanceOf, type Conduct, causeOf, costOf, knownOf, limitOf } from './score.ts';
import { type BehaviourSettings, countedKinds, MINUTE_MS, type Settings } from './settings.ts';

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

/** What the store said last, and when. */
interface Heard extends Pick<Conduct, 'points' | 'faultless' | 'recent'> {
  readonly atMs: number;
}

const NOTHING: Sum = Object.freeze({ sum: 0 });
const NEVER_HEARD: Heard = Object.freeze({ points: 0, faultless: 0, recent: 0, atMs: 0 });

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
  /** The shared store did not say all of it. */
  lost: Sum['lost'] = undefined;
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
  #heard = NEVER_HEARD;

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

  /** Nobody knows its score, and `onStateLoss` is `open`: then it has the whole limit. */
  get isUnjudged(): boolean {
    return this.lost === true && this.#settings.rule.onLoss === 'open';
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

  /** Says whether the shared store was lost for it. */
  endedBadly(
    state: CounterState,
    kind: Misdeed,
    points: number,
    nowMs: number,
  ): Awaitable<Pick<Sum, 'lost'>> {
    const { scopes, key } = this.caller;
    const { sum } = this.#behaviour;
    const sums = together([
      state.tally(scopes.points, key, sum, points, nowMs),
      state.tally(scopes.kinds[kind], key, sum, 1, nowMs),
    ]);
    return after(sums, (known) => {
      this.#freshUntilMs = 0;
      return { lost: lostOf(known) };
    });
  }

  #refresh(state: CounterState, nowMs: number): Awaitable<void> {
    const { scopes, key } = this.caller;
    const { sum, minute, baseline } = this.#behaviour;
    const [requests, faultless] = [this.#newRequests, this.#newFaultless];
    this.#newRequests = 0;
    this.#newFaultless = 0;
    const sums = together([
      state.tally(scopes.points, key, sum, 0, nowMs),
      state.tally(scopes.faultless, key, sum, faultless, nowMs),
      baseline === undefined ? NOTHING : state.tally(scopes.recent, key, minute, requests, nowMs),
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
    const { learned } = baseline;
    const admitted = this.#newAdmitted;
    this.#newAdmitted = 0;
    const once = state.gcra(scopes.minute, key, ONCE_A_MINUTE, 1, nowMs);
    return after(once, ({ allowed, lost }: LimitOutcome) => {
      const minute = allowed && lost === undefined ? 1 : 0;
      const sums = together([
        state.tally(scopes.admitted, key, learned, admitted, nowMs),
        state.tally(scopes.minutes, key, learned, minute, nowMs),
      ]);
      return after(sums, ([all, minutes]) => {
        // Nothing is learned then, and nothing forgotten.
        if (all.lost || minutes.lost) this.#historyUntilMs = 0;
        else this.allowance = allowanceOf(all.sum, minutes.sum, baseline);
      });
    });
  }

  #judge(state: CounterState, nowMs: number, sums: readonly Sum[]): Awaitable<void> {
    this.#learn(sums, nowMs);
    const settings = this.#settings;
    const current = this.isUnjudged ? settings.limit : limitOf(this, settings, this.#behaviour);
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
    const { sum, windowText } = this.#behaviour;
    const kinds = countedKinds(this.#behaviour);
    const counts = together(kinds.map((kind) => state.tally(scopes.kinds[kind], key, sum, 0, nowMs)));
    return after(counts, (known) => {
      const isLost = this.lost ?? lostOf(known);
      this.#explain(isLost ? lostText(windowText) : pointsText(kinds, known, windowText));
    });
  }

  #learn(sums: readonly Sum[], nowMs: number): void {
    const [points, faultless, recent] = sums;
    this.lost = lostOf(sums);
    const heard = this.#heard;
    const agoMs = nowMs - heard.atMs;
    const { windowMs } = this.#behaviour.sum;
    this.points = knownOf(points, heard.points, agoMs, windowMs);
    this.faultless = knownOf(faultless, heard.faultless, agoMs, windowMs);
    this.recent = knownOf(recent, heard.recent, agoMs, MINUTE_MS);
    if (this.lost) return;
    this.#heard = { points: this.points, faultless: this.faultless, recent: this.recent, atMs: nowMs };
  }

  #explain(cause: string): void {
    this.why = `limit ${this.#settings.limit} → ${this.limit}: ${cause}`;
    this.letOn = { kind: 'continue', rule: this.why };
  }
}

/** A clock that was set back makes nothing last longer than it was to. */
const isBefore = (nowMs: number, untilMs: number, longestMs: number): boolean =>
  nowMs < untilMs && untilMs - nowMs <= longestMs;
