import { isDeepStrictEqual } from 'node:util';
import type { Trial, TrialReport } from '../../contract/index.ts';
import type { Serving } from '../serving.ts';
import { CurrentTrial } from './current-trial.ts';

/** The trial of one worker. */
export class Trials {
  /** Asked for every request, so that without a trial that is all it costs. */
  current: CurrentTrial | undefined = undefined;
  #last: CurrentTrial | undefined = undefined;

  /** What the trial has shown so far, or the one that ended last. */
  get report(): TrialReport | undefined {
    return this.#last?.report;
  }

  /** Figures start anew with every other trial. */
  set(trial: Trial, candidate: Serving): void {
    const { current } = this;
    if (current?.candidate === candidate && isDeepStrictEqual(current.trial, trial)) return;
    this.current = new CurrentTrial(trial, candidate);
    this.#last = this.current;
  }

  /** Every request from now on is the active revision's alone. Those that the candidate has begun it ends. */
  end(): void {
    this.current = undefined;
  }
}
