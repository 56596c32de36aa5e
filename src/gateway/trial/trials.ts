import { isDeepStrictEqual } from 'node:util';
import type { Meter, Trial, TrialReport } from '../../contract/index.ts';
import type { Serving } from '../serving.ts';
import { type ArmCounters, CurrentTrial } from './current-trial.ts';
import type { TrialCounts } from './trial-counts.ts';

/** The trial of one worker. */
export class Trials {
  /** Asked for every request, so that without a trial that is all it costs. */
  current: CurrentTrial | undefined = undefined;
  readonly #counters: ArmCounters;
  /** No more than this is kept of one that has ended. */
  #last: TrialCounts | undefined = undefined;

  constructor(meter: Meter) {
    const counterOf = (arm: string) => meter.counter('sallyport_trial_requests_total', { arm });
    this.#counters = { baseline: counterOf('baseline'), canary: counterOf('canary') };
  }

  /** What the trial has shown so far, or the one that ended last. */
  get report(): TrialReport | undefined {
    return this.#last?.report;
  }

  /** Figures start anew with every other trial. */
  set(trial: Trial, active: Serving, candidate: Serving): CurrentTrial {
    const { current } = this;
    if (current?.candidate === candidate && isDeepStrictEqual(current.trial, trial)) return current;
    const isSameRollout = current?.candidate === candidate && current.trial.rollout === trial.rollout;
    const known = isSameRollout ? current.callers : undefined;
    this.current = new CurrentTrial(trial, active, candidate, this.#counters, known);
    this.#last = this.current.counts;
    return this.current;
  }

  /** Every request from now on is the active revision's alone. Those that the candidate has begun it ends. */
  end(): void {
    this.current = undefined;
  }
}
