import type { LimitOutcome, PolicyContext } from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';

/** How long a client is asked to wait for counters that do not answer, in seconds. */
const UNAVAILABLE_RETRY_SECONDS = 1;

/** The shared store is lost and the attachment's `onStateLoss` is `closed`: whether the limit is reached nobody knows. */
export const limitsUnavailable = (rule: string): PolicyRejection =>
  new PolicyRejection('limits-unavailable', 'Limits cannot be counted now. Try again.', {
    rule,
    reason: 'the shared store does not answer, and onStateLoss is closed',
    headers: ['Retry-After', `${UNAVAILABLE_RETRY_SECONDS}`],
  });

/** Counts that an answer came without the shared store. Once per request, however many limits it is about. */
export function noteLoss(c: PolicyContext, attachment: string, outcome: Pick<LimitOutcome, 'lost'>): void {
  if (outcome.lost) c.deps.notices.count(attachment, 'state-lost');
}
