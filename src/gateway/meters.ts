import type {
  Attachment,
  Counter,
  DecisionEntry,
  Histogram,
  Meter,
  Outcome,
  Snapshot,
} from '../contract/index.ts';

/** The metric handles of one listener and route: made at compile or first use, never per request. */
export class RouteMeters {
  readonly duration: Histogram;
  readonly #meter: Meter;
  readonly #labels: { readonly listener: string; readonly route: string };
  readonly #byStatus: (Counter | undefined)[] = [];

  constructor(meter: Meter, listener: string, route: string) {
    this.#meter = meter;
    this.#labels = { listener, route };
    this.duration = meter.histogram('sallyport_http_request_duration_seconds', this.#labels);
  }

  /** Counts an answer. `source` says who made it: the upstream, a policy, the gateway, or a client's fault. */
  count(status: number, source: AnswerSource): void {
    const at = status * 8 + SOURCES.indexOf(source);
    let counter = this.#byStatus[at];
    if (counter === undefined) {
      counter = this.#meter.counter('sallyport_http_requests_total', {
        ...this.#labels,
        status: String(status),
        source,
      });
      this.#byStatus[at] = counter;
    }
    counter.add(1);
  }
}

export type AnswerSource = 'upstream' | 'policy' | 'client' | 'gateway';
const SOURCES: readonly AnswerSource[] = ['upstream', 'policy', 'client', 'gateway'];

/** The metric handles of one snapshot. */
export class ServingMeters {
  readonly #meter: Meter;
  readonly #listeners = new Map<string, Map<string, RouteMeters>>();
  /** The shared entries of attachments that let a request on, straight to their counters. */
  readonly #continued = new Map<DecisionEntry, Counter>();
  readonly #others = new Map<string, Counter>();
  readonly #upstreams = new Map<string, Histogram>();
  readonly #targets = new Map<object, Map<string, Counter>>();

  constructor(meter: Meter, attachments: readonly Attachment[]) {
    this.#meter = meter;
    for (const attachment of attachments) {
      const counter = this.#decision(attachment.continued.request);
      for (const entry of Object.values(attachment.continued)) this.#continued.set(entry, counter);
      this.#continued.set(attachment.skipped, this.#decision(attachment.skipped));
    }
  }

  route(listener: string, route: string): RouteMeters {
    let routes = this.#listeners.get(listener);
    if (routes === undefined) {
      routes = new Map();
      this.#listeners.set(listener, routes);
    }
    let meters = routes.get(route);
    if (meters === undefined) {
      meters = new RouteMeters(this.#meter, listener, route);
      routes.set(route, meters);
    }
    return meters;
  }

  countDecisions(entries: readonly DecisionEntry[]): void {
    for (const entry of entries) (this.#continued.get(entry) ?? this.#decision(entry)).add(1);
  }

  /** Seconds from the request sent to the answer's head. */
  upstreamDuration(upstream: string): Histogram {
    let histogram = this.#upstreams.get(upstream);
    if (histogram === undefined) {
      histogram = this.#meter.histogram('sallyport_upstream_duration_seconds', { upstream });
      this.#upstreams.set(upstream, histogram);
    }
    return histogram;
  }

  /** Counts how a try at a target ended. `target` is any object that stands for it. */
  countUpstream(upstream: string, target: { readonly name: string }, outcome: string): void {
    let outcomes = this.#targets.get(target);
    if (outcomes === undefined) {
      outcomes = new Map();
      this.#targets.set(target, outcomes);
    }
    let counter = outcomes.get(outcome);
    if (counter === undefined) {
      counter = this.#meter.counter('sallyport_upstream_requests_total', {
        upstream,
        target: target.name,
        outcome,
      });
      outcomes.set(outcome, counter);
    }
    counter.add(1);
  }

  #decision(entry: DecisionEntry): Counter {
    const decision: Outcome = entry.outcome;
    const key = `${entry.attachment}\n${decision}\n${entry.mode}`;
    let counter = this.#others.get(key);
    if (counter === undefined) {
      const { attachment, policy, mode } = entry;
      counter = this.#meter.counter('sallyport_policy_decisions_total', {
        attachment,
        policy,
        mode,
        decision,
      });
      this.#others.set(key, counter);
    }
    return counter;
  }
}

export function metersOf(snapshot: Snapshot, meter: Meter): ServingMeters {
  return new ServingMeters(meter, snapshot.attachments);
}
