import type { Priority } from '../../contract/index.ts';
import type { HealthSettings } from './settings.ts';

/** Where a new route begins: enough for most, few enough that a weak upstream is not lost before the first answers. */
const FIRST_LIMIT = 100;
/** A round is judged after so many answers and so long, as Envoy's sample window. */
const ROUND_ANSWERS = 10;
const ROUND_MS = 100;
/** With fewer answers than that in so long nothing can be said. */
const STALE_ROUND_MS = 30_000;
/** More answers of one round say nothing new. */
const MOST_SAMPLES = 500;
/** The limit at most halves in a round. */
const LEAST_GRADIENT = 0.5;
/** Below, latency has risen. */
const RISING = 0.95;
/** Multiplicative decrease for failures and for our own lag (AIMD, RFC 5681; by Netflix’ AIMDLimit’s ratio). */
const BACKOFF = 0.9;
/** So much more of a round than usual fails before it is taken for overload: single endpoints may fail at will. */
const UNUSUAL_FAILURES = 0.1;
const FAILURE_SMOOTHING = 0.05;
/** Times of one clock tick are no queue. */
const SLACK_MS = 2;
/** Latency without a queue is measured anew after so long, or after so many rounds in which lowering did not help. */
const PROBE_MS = 30_000;
const PATIENCE_ROUNDS = 10;
const MOST_PATIENCE_ROUNDS = 40;
/** Or where the limit has halved and latency is still higher: it may be that the service itself is slower now. */
const HALVED = 0.5;
const HALVED_ROUNDS = 3;
/** A measurement that differs less confirms the one before. */
const CONFIRMED = 0.25;

/**
 * How many requests of one route may be under way in one worker, from latency and failures. The gradient of Netflix’
 * concurrency-limits (`GradientLimit`: limit × gradient + √limit) and of Envoy’s adaptive concurrency filter, whose
 * latency without a queue is measured anew now and then under less concurrency, as BBR's PROBE_RTT: else a queue that
 * stays would in time be taken for the usual. Latency is a round's median, so that single slow requests, or a caller
 * that makes some, do not move it. Only requests that came after a change count for the next: what they see is its effect.
 */
export class ConcurrencyLimit {
  readonly #settings: HealthSettings;
  #limit: number;
  #inFlight = 0;
  /** Most under way in this round. */
  #peak = 0;
  #samples: number[] = [];
  #failures = 0;
  #abandoned = 0;
  #changedAtMs = 0;
  /** Latency without a queue; undefined until it was measured. */
  #quietMs: number | undefined = undefined;
  #quietAtMs = 0;
  #usualFailures = 0;
  #rising = 0;
  #patience = PATIENCE_ROUNDS;
  /** The highest limit since latency without a queue was measured. */
  #highest = 0;
  /** The limit to go back to; undefined when nothing is probed. */
  #probedFrom: number | undefined = undefined;
  /** Why it is what it is. */
  why = '';

  constructor(settings: HealthSettings, nowMs: number) {
    this.#settings = settings;
    this.#limit = Math.max(settings.min, Math.min(settings.max, FIRST_LIMIT));
    this.#changedAtMs = nowMs;
    this.#quietAtMs = nowMs;
  }

  get limit(): number {
    return Math.floor(this.#probedFrom ?? this.#limit);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Latency without a queue, as last measured. */
  get quietMs(): number | undefined {
    return this.#quietMs;
  }

  /** How many may be under way before one of this priority is refused: the rest is for what matters more. */
  roomFor(priority: Priority): number {
    return Math.max(1, Math.ceil(this.#limit * this.#settings.shares[priority]));
  }

  enter(): void {
    this.#inFlight++;
    if (this.#inFlight > this.#peak) this.#peak = this.#inFlight;
  }

  leave(): void {
    this.#inFlight--;
  }

  /** An upstream's answer to a request that came at `cameMs`. Times are of the monotonic clock. */
  answered(latencyMs: number, cameMs: number, nowMs: number, lagMs: number): void {
    if (cameMs < this.#changedAtMs) return;
    if (this.#samples.length < MOST_SAMPLES) this.#samples.push(latencyMs);
    this.#endRound(nowMs, lagMs);
  }

  /** The upstream did not answer, or said that it cannot. */
  failed(cameMs: number, nowMs: number, lagMs: number): void {
    if (cameMs < this.#changedAtMs) return;
    this.#failures++;
    this.#endRound(nowMs, lagMs);
  }

  /** The client went away after so long. That it was long says something; that it was short does not. */
  abandoned(waitedMs: number, cameMs: number, nowMs: number, lagMs: number): void {
    const quietMs = this.#quietMs;
    if (cameMs < this.#changedAtMs || quietMs === undefined) return;
    if (waitedMs <= this.#settings.tolerance * quietMs + SLACK_MS) return;
    this.#abandoned++;
    this.#endRound(nowMs, lagMs);
  }

  #endRound(nowMs: number, lagMs: number): void {
    const lastedMs = nowMs - this.#changedAtMs;
    const answers = this.#samples.length + this.#failures + this.#abandoned;
    if (lastedMs < ROUND_MS || (answers < ROUND_ANSWERS && lastedMs < STALE_ROUND_MS)) return;
    if (answers >= ROUND_ANSWERS) this.#adapt(nowMs, lagMs, this.#failures / answers);
    this.#samples = [];
    this.#failures = 0;
    this.#abandoned = 0;
    this.#peak = this.#inFlight;
    this.#changedAtMs = nowMs;
  }

  #adapt(nowMs: number, lagMs: number, failures: number): void {
    const medianMs = medianOf(this.#samples);
    const hasFailed = failures > this.#usualFailures + UNUSUAL_FAILURES;
    this.#usualFailures += FAILURE_SMOOTHING * (failures - this.#usualFailures);
    if (this.#abandoned > this.#samples.length) this.#giveWay();
    else if (this.#probedFrom !== undefined) this.#endProbe(medianMs, nowMs);
    else if (lagMs >= this.#settings.lagMs)
      this.#move(this.#limit * BACKOFF, `event loop ${Math.round(lagMs)} ms late`);
    else if (hasFailed) this.#move(this.#limit * BACKOFF, `${Math.round(failures * 100)} % failed upstream`);
    else if (medianMs !== undefined) this.#follow(medianMs, nowMs);
  }

  /**
   * Most clients no longer wait: the upstream works off what nobody wants any more. How long it takes is longer than can
   * be seen, so nothing is learned of it.
   */
  #giveWay(): void {
    this.#probedFrom = undefined;
    this.#move(this.#limit * LEAST_GRADIENT, 'most clients went away before an answer');
  }

  #follow(medianMs: number, nowMs: number): void {
    const quietMs = Math.min(this.#quietMs ?? medianMs, medianMs);
    this.#quietMs = quietMs;
    const borne = this.#settings.tolerance * quietMs + SLACK_MS;
    const gradient = Math.max(LEAST_GRADIENT, Math.min(1, borne / medianMs));
    this.#rising = gradient < RISING ? this.#rising + 1 : 0;
    this.#move(
      this.#limit * gradient + Math.sqrt(this.#limit),
      `latency ${rounded(medianMs)} ms, without a queue ${rounded(quietMs)} ms`,
    );
    this.#highest = Math.max(this.#highest, this.#limit);
    if (this.#isDoubtful(nowMs)) this.#beginProbe(medianMs, nowMs);
  }

  /** Whether latency without a queue may be another by now. */
  #isDoubtful(nowMs: number): boolean {
    if (this.#rising >= this.#patience || nowMs - this.#quietAtMs >= PROBE_MS) return true;
    return this.#rising >= HALVED_ROUNDS && this.#limit <= this.#highest * HALVED;
  }

  /** Where few are under way the limit says nothing: it does not grow, and does not fall to where they are. */
  #move(wanted: number, why: string): void {
    const { min, max } = this.#settings;
    const isFelt = this.#peak >= this.#limit / 2;
    if (!isFelt && wanted > this.#limit) return;
    const next = isFelt ? wanted : Math.max(wanted, Math.min(this.#limit, 2 * this.#peak));
    this.#limit = Math.max(min, Math.min(max, next));
    this.why = why;
  }

  #beginProbe(medianMs: number, nowMs: number): void {
    this.#rising = 0;
    this.#highest = this.#limit;
    this.#quietAtMs = nowMs;
    // As few are under way as there may be, or so few that the limit is not felt: this is how it is without a queue.
    if (this.#limit <= this.#settings.min || this.#peak < this.#limit / 2) this.#quietMs = medianMs;
    else {
      this.#probedFrom = this.#limit;
      this.#limit = Math.max(this.#settings.min, this.#limit / 2);
    }
  }

  #endProbe(medianMs: number | undefined, nowMs: number): void {
    this.#limit = this.#probedFrom ?? this.#limit;
    this.#probedFrom = undefined;
    if (medianMs === undefined) return;
    const before = this.#quietMs ?? medianMs;
    const isConfirmed = Math.abs(medianMs - before) <= CONFIRMED * before + SLACK_MS;
    this.#patience = isConfirmed ? Math.min(MOST_PATIENCE_ROUNDS, 2 * this.#patience) : PATIENCE_ROUNDS;
    this.#quietMs = medianMs;
    this.#quietAtMs = nowMs;
  }
}

function medianOf(samples: readonly number[]): number | undefined {
  if (samples.length === 0) return undefined;
  return [...samples].sort((one, other) => one - other)[samples.length >> 1];
}

const rounded = (ms: number): number => (ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms));
