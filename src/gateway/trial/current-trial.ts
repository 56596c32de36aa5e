import type { ShadowFigures, Trial, TrialReport } from '../../contract/index.ts';
import type { Serving } from '../serving.ts';
import { Arm } from './arm.ts';

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
  readonly baseline = new Arm();
  readonly canary = new Arm();

  constructor(trial: Trial, candidate: Serving) {
    this.trial = trial;
    this.candidate = candidate;
  }

  get report(): TrialReport {
    const { rollout, revision } = this.trial;
    const { figures: baseline } = this.baseline;
    const { figures: canary } = this.canary;
    return { trial: this.trial, figures: { rollout, revision, baseline, canary, shadow: NOT_JUDGED } };
  }
}
