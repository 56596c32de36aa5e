import { parseExpiry } from '../../lib/expiry.ts';
import type { LintRule } from './finding.ts';

/** A rule that nobody has looked at for longer than its owner meant to. */
export const reviewOverdue: LintRule = {
  id: 'review-overdue',
  severity: 'warning',
  summary: 'A policy whose day of review is over',
  *check(c) {
    for (const { path, id, owner, reviewBy } of c.attachments()) {
      if (reviewBy === undefined) continue;
      const place = [...path, 'reviewBy'];
      const untilMs = parseExpiry(reviewBy);
      const asked = owner === undefined ? 'somebody' : owner;
      if (untilMs === undefined) {
        yield {
          path: place,
          severity: 'error',
          message: `${reviewBy} is not a day of the calendar`,
          fix: 'write a day, YYYY-MM-DD',
        };
      } else if (untilMs < c.nowMs) {
        yield {
          path: place,
          message: `${id} was to be reviewed by ${reviewBy}`,
          fix: `have ${asked} look at it, then set the next reviewBy or take it out`,
        };
      }
    }
  },
};
