import type { Counter, DecisionEntry, Histogram, Meter, RoutePlan } from '../contract/index.ts';
import { decisionsText, placeText, targetText } from './record-line.ts';

/** What the decisions on one request come to: their part of a record, and the counters they move. */
export interface DecisionSum {
  readonly entries: readonly DecisionEntry[];
  readonly text: string;
  readonly counters: readonly Counter[];
}

/** What is counted and recorded of one listener and route: handles and texts made at first use, never per request. */
export class RouteMeters {
  readonly duration: Histogram;
  /** The route's part of a record. */
  readonly place: string;
  readonly #meter: Meter;
  readonly #labels: { readonly listener: string; readonly route: string };
  /** A handful at most; an array by status would be a sparse one for each of ten thousand routes. */
  readonly #answers: AnswerCounter[] = [];
  /** The answer counted last, at hand: with many routes, each object on the way waits for memory. */
  #lastStatus = 0;
  #lastSource: AnswerSource = 'gateway';
  #lastCounter: Counter | undefined = undefined;
  #usual: DecisionSum | undefined = undefined;

  constructor(meter: Meter, revision: string, listener: string, route: string) {
    this.#meter = meter;
    this.#labels = { listener, route };
    this.place = placeText({ revision, listener, route });
    this.duration = meter.histogram('sallyport_http_request_duration_seconds', this.#labels);
  }

  /** Counts an answer. `source` says who made it: the upstream, a policy, the gateway, or a client's fault. */
  count(status: number, source: AnswerSource): void {
    if (this.#lastStatus !== status || this.#lastSource !== source || this.#lastCounter === undefined) {
      this.#lastStatus = status;
      this.#lastSource = source;
      this.#lastCounter = this.#answerCounter(status, source);
    }
    this.#lastCounter.add(1);
  }

  #answerCounter(status: number, source: AnswerSource): Counter {
    const known = this.#answers.find((answer) => answer.status === status && answer.source === source);
    if (known !== undefined) return known.counter;
    const labels = { ...this.#labels, status: String(status), source };
    const counter = this.#meter.counter('sallyport_http_requests_total', labels);
    this.#answers.push({ status, source, counter });
    return counter;
  }

  /** The sum of `entries`, which most often are those of the request before: entries of one snapshot are shared. */
  sum(entries: readonly DecisionEntry[], counterOf: (entry: DecisionEntry) => Counter): DecisionSum {
    if (entries.length === 0) return NO_DECISIONS;
    const usual = this.#usual;
    if (usual !== undefined && sameEntries(usual.entries, entries)) return usual;
    // Copied: a policy that answers late still adds to its own list.
    const sum = {
      entries: entries.slice(),
      text: decisionsText(entries),
      counters: entries.map(counterOf),
    };
    if (entries.every(isShared)) this.#usual = sum;
    return sum;
  }
}

const NO_DECISIONS: DecisionSum = Object.freeze({ entries: [], text: decisionsText([]), counters: [] });

/** Who lets a request on leaves its attachment's one entry; who refuses, one with the reason. */
const isShared = ({ outcome }: DecisionEntry): boolean => outcome === 'continue' || outcome === 'skipped';

function sameEntries(one: readonly DecisionEntry[], other: readonly DecisionEntry[]): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

export type AnswerSource = 'upstream' | 'policy' | 'client' | 'gateway';

/** Counts answers of one status from one source. */
interface AnswerCounter {
  readonly status: number;
  readonly source: AnswerSource;
  readonly counter: Counter;
}

/** What is counted and recorded of one target of an upstream. */
export class TargetMeters {
  /** Seconds from the request sent to the answer's head. */
  readonly duration: Histogram;
  /** The target's part of a record. */
  readonly text: string;
  readonly #meter: Meter;
  readonly #labels: { readonly upstream: string; readonly target: string };
  readonly #outcomes = new Map<string, Counter>();

  constructor(meter: Meter, upstream: string, target: string) {
    this.#meter = meter;
    this.#labels = { upstream, target };
    this.text = targetText(upstream, target);
    this.duration = meter.histogram('sallyport_upstream_duration_seconds', { upstream });
  }

  /** Counts how a try ended. */
  count(outcome: string): void {
    let counter = this.#outcomes.get(outcome);
    if (counter === undefined) {
      counter = this.#meter.counter('sallyport_upstream_requests_total', { ...this.#labels, outcome });
      this.#outcomes.set(outcome, counter);
    }
    counter.add(1);
  }
}

interface ListenerMeters {
  readonly unrouted: RouteMeters;
  /** By the route's index. */
  readonly routes: (RouteMeters | undefined)[];
}

/** The metric handles of one snapshot. */
export class ServingMeters {
  readonly #meter: Meter;
  readonly #revision: string;
  readonly #listeners = new Map<string, ListenerMeters>();
  readonly #decisions = new Map<string, Counter>();
  readonly #targets = new Map<object, TargetMeters>();

  constructor(meter: Meter, revision: string) {
    this.#meter = meter;
    this.#revision = revision;
  }

  /** `route` is undefined where no route took the request. */
  route(listener: string, route: RoutePlan | undefined): RouteMeters {
    let known = this.#listeners.get(listener);
    if (known === undefined) {
      known = { unrouted: new RouteMeters(this.#meter, this.#revision, listener, ''), routes: [] };
      this.#listeners.set(listener, known);
    }
    if (route === undefined) return known.unrouted;
    let meters = known.routes[route.index];
    if (meters === undefined) {
      meters = new RouteMeters(this.#meter, this.#revision, listener, route.name);
      // Without holes, which would make it a table to look up in.
      while (known.routes.length <= route.index) known.routes.push(undefined);
      known.routes[route.index] = meters;
    }
    return meters;
  }

  /** Counts a request that was no request: not understood, too large, or not received in time. */
  refused(listener: string, reason: string): void {
    this.#meter.counter('sallyport_requests_refused_total', { listener, reason }).add(1);
  }

  /** `target` is any object that stands for it. */
  target(upstream: string, target: { readonly name: string }): TargetMeters {
    let meters = this.#targets.get(target);
    if (meters === undefined) {
      meters = new TargetMeters(this.#meter, upstream, target.name);
      this.#targets.set(target, meters);
    }
    return meters;
  }

  /** Where an entry is counted. */
  readonly counterOf = ({ attachment, policy, mode, outcome }: DecisionEntry): Counter => {
    const key = `${attachment}\n${outcome}\n${mode}`;
    let counter = this.#decisions.get(key);
    if (counter === undefined) {
      const labels = { attachment, policy, mode, decision: outcome };
      counter = this.#meter.counter('sallyport_policy_decisions_total', labels);
      this.#decisions.set(key, counter);
    }
    return counter;
  };
}
