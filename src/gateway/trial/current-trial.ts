import type { Counter, ListenerPlan, ShadowFigures, Trial, TrialReport } from '../../contract/index.ts';
import type { Evaluation } from '../../evaluator/index.ts';
import { listenerKey } from '../listener-key.ts';
import type { Serving } from '../serving.ts';
import { Arm } from './arm.ts';
import { CallerHash } from './caller-hash.ts';
import { Callers } from './callers.ts';
import { Cohort } from './cohort.ts';
import { type Place, TrialPart } from './part.ts';

/** Counts requests that are compared, by which revision judged them. */
export interface ArmCounters {
  readonly baseline: Counter;
  readonly canary: Counter;
}

const NOT_JUDGED: ShadowFigures = Object.freeze({
  judged: 0,
  same: 0,
  flips: [],
  otherFlips: 0,
  undecided: {},
  leftOut: 0,
  costMs: 0,
});

/** A candidate beside the active revision, and what both did since it was told so. */
export class CurrentTrial {
  readonly trial: Trial;
  readonly candidate: Serving;
  /** Who judges its requests a second time; undefined where nobody does, or not yet. */
  shadow: { readonly figures: ShadowFigures } | undefined = undefined;
  readonly #counters: ArmCounters;
  readonly #baseline = new Arm();
  readonly #canary = new Arm();
  readonly #hash: CallerHash;
  readonly #callers: Callers;
  /** Undefined: nobody is judged by the candidate. */
  readonly #cohort: Cohort | undefined;
  /** The candidate's listeners that have the same socket, by the name they share with one of the active revision. */
  readonly #plans = new Map<string, ListenerPlan>();

  /** `known`: the callers of the trial before, where only its cohort is another. */
  constructor(trial: Trial, active: Serving, candidate: Serving, counters: ArmCounters, known?: Callers) {
    this.trial = trial;
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
    const { consumer, mark, key } = caller;
    if (!this.#cohort.holds({ route: route.name, client: request.client, consumer }))
      return mark === undefined ? undefined : new TrialPart(this.#callers, mark, undefined, undefined);
    const { place: at, group } = this.#hash.locate(key);
    const isCanary = at < this.#cohort.share;
    const place = this.#placeIn(isCanary ? 'canary' : 'baseline', group);
    return new TrialPart(this.#callers, mark, place, isCanary ? plan : undefined);
  }

  get report(): TrialReport {
    const { rollout, revision } = this.trial;
    const { figures: baseline } = this.#baseline;
    const { figures: canary } = this.#canary;
    const shadow = this.shadow?.figures ?? NOT_JUDGED;
    return { trial: this.trial, figures: { rollout, revision, baseline, canary, shadow } };
  }

  #placeIn(arm: 'baseline' | 'canary', group: number): Place {
    const counted = arm === 'canary' ? this.#canary : this.#baseline;
    return { arm: counted, counter: this.#counters[arm], group };
  }
}
