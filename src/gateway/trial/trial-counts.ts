import type { ShadowFigures, Trial, TrialReport } from '../../contract/index.ts';
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

/** What was counted in a trial: what is left of it when it has ended, and for requests that were under way then. */
export class TrialCounts {
  readonly trial: Trial;
  readonly baseline = new Arm();
  readonly canary = new Arm();
  /** What judging requests a second time has shown; undefined where nobody does, or not yet. */
  shadow: { readonly figures: ShadowFigures } | undefined = undefined;

  constructor(trial: Trial) {
    this.trial = trial;
  }

  get report(): TrialReport {
    const { rollout, revision } = this.trial;
    const { figures: baseline } = this.baseline;
    const { figures: canary } = this.canary;
    const shadow = this.shadow?.figures ?? NOT_JUDGED;
    return { trial: this.trial, figures: { rollout, revision, baseline, canary, shadow } };
  }
}
