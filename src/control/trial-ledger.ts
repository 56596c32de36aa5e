import { isDeepStrictEqual } from 'node:util';
import type { Trial, TrialFigures, TrialReport } from '../contract/index.ts';
import { sumFigures } from '../lifecycle/index.ts';

/** What each thread told last of a trial. What one that has ended told still counts. */
export class TrialLedger {
  readonly #reports = new Map<number, TrialReport>();

  /** `thread`: an id that no other thread ever has. */
  keep(thread: number, report: TrialReport): void {
    this.#reports.set(thread, report);
  }

  /** What all of them have seen of `trial`. What was told of any other is forgotten. */
  sum(trial: Trial): TrialFigures {
    const parts: TrialFigures[] = [];
    for (const [thread, report] of this.#reports) {
      if (isDeepStrictEqual(report.trial, trial)) parts.push(report.figures);
      else this.#reports.delete(thread);
    }
    return sumFigures(trial, parts);
  }
}
