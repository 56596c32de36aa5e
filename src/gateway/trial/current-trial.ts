import type { Counter, ListenerPlan, Trial } from '../../contract/index.ts';
import type { Evaluation } from '../../evaluator/index.ts';
import { listenerKey } from '../listener-key.ts';
import type { Serving } from '../serving.ts';
import { CallerHash } from './caller-hash.ts';
import { Callers } from './callers.ts';
import { Cohort } from './cohort.ts';
import { type Place, TrialPart } from './part.ts';
import { TrialCounts } from './trial-counts.ts';

/** Counts requests that are compared, by which revision judged them. */
export interface ArmCounters {
  readonly baseline: Counter;
  readonly canary: Counter;
}

/** A candidate beside the active revision, and what both did since it was told so. */
export class CurrentTrial {
  readonly trial: Trial;
  readonly candidate: Serving;
  readonly counts: TrialCounts;
  readonly #counters: ArmCounters;
  readonly #hash: CallerHash;
  readonly #callers: Callers;
  /** Undefined: nobody is judged by the candidate. */
  readonly #cohort: Cohort | undefined;
  /** The candidate's listeners that have the same socket, by the name they share with one of the active revision. */
  readonly #plans = new Map<string, ListenerPlan>();

  /** `known`: the callers of the trial before, where only its cohort is another. */
  constructor(trial: Trial, active: Serving, candidate: Serving, counters: ArmCounters, known?: Callers) {
    this.trial = trial;
    this.counts = new TrialCounts(trial);
    this.candidate = candidate;
    this.#counters = counters;
    this.#hash = new CallerHash(trial.rollout);
    const attachments = [...active.snapshot.attachments, ...candidate.snapshot.attachments];
    this.#callers = known ?? new Callers(this.#hash, attachments);
    this.#cohort = trial.canary === undefined ? undefined : new Cohort(trial.canary);
    for (const plan of active.snapshot.listeners) {
      const other = candidate.listener(plan.name);
      if (other !== undefined && listenerKey(other) === listenerKey(plan)) this.#plans.set(plan.name, other);
    }
  }

  /** Whom it knows by now. */
  get callers(): Callers {
    return this.#callers;
  }

  /** By whom a request is judged that the active revision is about to judge; undefined: by that, and nobody counts it. */
  partOf({ request, route, listener }: Evaluation): TrialPart | undefined {
    if (this.#cohort === undefined) return undefined;
    const plan = this.#plans.get(listener.name);
    if (plan === undefined) return undefined;
    const caller = this.#callers.of(request);
    const { consumer, mark, key, crowd } = caller;
    if (!this.#cohort.holds({ route: route.name, client: request.client, consumer }))
      return mark === undefined ? undefined : new TrialPart(this.#callers, mark, undefined, undefined);
    const isCanary = this.#hash.locate(key).place < this.#cohort.share;
    const { group } = crowd === key ? this.#hash : this.#hash.locate(crowd);
    const place = this.#placeIn(isCanary ? 'canary' : 'baseline', group);
    return new TrialPart(this.#callers, mark, place, isCanary ? plan : undefined);
  }

  #placeIn(arm: 'baseline' | 'canary', group: number): Place {
    return { arm: this.counts[arm], counter: this.#counters[arm], group };
  }
}
