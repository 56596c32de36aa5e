import type { Counter, ListenerPlan } from '../../contract/index.ts';
import type { EndedExchange } from '../recorder.ts';
import type { Arm } from './arm.ts';
import { armOutcomeOf, latencyOf } from './arm-outcome.ts';
import type { Callers } from './callers.ts';

/** Where a request is counted. */
export interface Place {
  readonly arm: Arm;
  readonly counter: Counter;
  /** Of its caller. */
  readonly group: number;
}

/** One request's part in a trial: fixed when it begins, whatever becomes of the trial meanwhile. */
export class TrialPart {
  /** The listener by which the candidate judges it; undefined for a request of the active revision. */
  readonly candidatePlan: ListenerPlan | undefined;
  readonly #callers: Callers;
  readonly #mark: string | undefined;
  readonly #place: Place | undefined;

  /** `mark`: what its caller is to be remembered by. `place`: undefined for a request that is not compared. */
  constructor(
    callers: Callers,
    mark: string | undefined,
    place: Place | undefined,
    candidatePlan: ListenerPlan | undefined,
  ) {
    this.#callers = callers;
    this.#mark = mark;
    this.#place = place;
    this.candidatePlan = candidatePlan;
  }

  ended(exchange: EndedExchange): void {
    const { judged } = exchange;
    if (this.#mark !== undefined && judged !== undefined)
      this.#callers.learn(this.#mark, judged.facts.identity, judged.request.client);
    if (this.#place === undefined) return;
    const outcome = armOutcomeOf(exchange);
    if (outcome === undefined) return;
    const { arm, counter, group } = this.#place;
    arm.count(group, outcome, latencyOf(exchange));
    counter.add(1);
  }
}
