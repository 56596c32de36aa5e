import {
  type Counter,
  type Logger,
  type Meter,
  type OverloadPlan,
  PRIORITIES,
  type Priority,
  type WorkerLoad,
} from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import { Admission, heldOf } from './admission.ts';
import { Rested, type Resting } from './rested.ts';

/** Who is refused is told to wait; who does not wait is not read for that long, and never longer than this. */
const MOST_REST_MS = 1000;
/** Refusals cost about as much as plain proxying. Where they are few, nobody's connection is left alone for them. */
const REFUSALS_PER_MS = 0.5;
/** A request that was read again so many times later than the others wait has waited too long. */
const LATE_PARTS = 2;
/** A connection that had something to read as soon as it was read again. */
const WOKEN_TICKS = 2;
const RANKS: Readonly<Record<Priority, number>> = Object.freeze({ critical: 0, high: 1, normal: 2, low: 3 });

/**
 * Refuses requests where this worker cannot serve all in time. While nothing is late it only counts. Once a crowd has
 * kept the event loop late for a tenth of a second (or memory is short), as many requests are let on as can be served in
 * time, the most important first, until nobody had to be refused for a while.
 */
export class Shedder {
  readonly #load: WorkerLoad;
  readonly #meter: Meter;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #admission: Admission;
  readonly #counters = new Map<string, Counter>();
  readonly #rested: Rested;
  #plan: OverloadPlan | undefined = undefined;
  #rejection = rejectionOf(1000);
  #ticks = 0;
  #isTurnWatched = false;
  #atMs: number;

  constructor(load: WorkerLoad, meter: Meter, log: Logger, now: () => number) {
    this.#load = load;
    this.#meter = meter;
    this.#log = log;
    this.#now = now;
    this.#atMs = now();
    this.#rested = new Rested(this.#atMs);
    this.#admission = new Admission(PRIORITIES.length);
    load.watch(() => this.tick());
  }

  /** How often it was measured so far. */
  get ticks(): number {
    return this.#ticks;
  }

  configure(plan: OverloadPlan | undefined): void {
    this.#plan = plan;
    if (plan === undefined) return this.#admission.open();
    this.#rejection = rejectionOf(plan.retryAfterMs);
    this.#rested.lateMs = heldOf(plan) * LATE_PARTS;
    this.#rested.restMs = Math.min(plan.retryAfterMs, MOST_REST_MS);
  }

  /** Why a request may not be served, or undefined when it may. */
  refusal(priority: Priority, hasWaited: boolean): PolicyRejection | undefined {
    const rank = RANKS[priority];
    const admission = this.#admission;
    if (admission.isShedding) {
      this.#watchTurn();
      this.#rested.came();
    }
    // What came while nobody read has waited too long to be worth more than what comes now.
    if (hasWaited && admission.isShort(rank)) admission.refuse(rank);
    else if (admission.admits(rank)) return undefined;
    return this.#rejection;
  }

  /** A request that was let on is asked about. */
  began(): void {
    this.#admission.began();
  }

  /** It was decided about. */
  decided(): void {
    this.#admission.decided();
    if (this.#admission.isShedding) this.#watchTurn();
  }

  /** Whether what is read now was sent while nobody read. */
  hasWaited(wokenAtTick: number): boolean {
    return this.#ticks - wokenAtTick < WOKEN_TICKS;
  }

  /** Counts a request that was refused, by whose it was. */
  count(listener: string, priority: Priority): void {
    this.#counter(listener, priority).add(1);
  }

  /** Shows every priority at zero, so that an alert can be written before the first is refused. */
  announce(listener: string): void {
    for (const priority of PRIORITIES) this.#counter(listener, priority);
  }

  #counter(listener: string, priority: Priority): Counter {
    const key = `${priority} ${listener}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = this.#meter.counter('sallyport_requests_shed_total', { listener, priority });
      this.#counters.set(key, counter);
    }
    return counter;
  }

  /** Whether connections of refused requests are to be left alone: each refusal costs, and these are many. */
  get areMany(): boolean {
    return this.#admission.refusedPerMs > REFUSALS_PER_MS;
  }

  rest(connection: Resting): void {
    this.#rested.rest(connection, this.#now());
  }

  /** Looks at the latest measurement. */
  tick(): void {
    this.#ticks++;
    const nowMs = this.#now();
    const elapsedMs = nowMs - this.#atMs;
    this.#atMs = nowMs;
    const plan = this.#plan;
    if (plan !== undefined && elapsedMs > 0) this.#control(plan, elapsedMs);
    this.#rested.look(nowMs, this.#admission.wantedPerMs);
  }

  #control(plan: OverloadPlan, elapsedMs: number): void {
    const admission = this.#admission;
    const { isShedding } = admission;
    admission.adjust(elapsedMs, this.#load, plan);
    if (admission.isShedding === isShedding) return;
    const { lagMs, heapShare, residentBytes } = this.#load;
    const facts = { lagMs: Math.round(lagMs), heapShare: Number(heapShare.toFixed(2)), residentBytes };
    if (admission.isShedding) this.#log.warn('overload-began', facts);
    else this.#log.info('overload-ended', facts);
  }

  #watchTurn(): void {
    if (this.#isTurnWatched) return;
    this.#isTurnWatched = true;
    setImmediate(this.#onTurnEnd);
  }

  readonly #onTurnEnd = (): void => {
    this.#isTurnWatched = false;
    this.#admission.turnEnded();
    if (this.#rested.length > 0) this.#rested.look(this.#now(), this.#admission.wantedPerMs);
  };
}

function rejectionOf(retryAfterMs: number): PolicyRejection {
  return new PolicyRejection('overloaded', 'The gateway has more to do than it can. Try again later.', {
    headers: ['Retry-After', String(Math.ceil(retryAfterMs / 1000))],
  });
}
