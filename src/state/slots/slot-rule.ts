import type { SlotRule } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';

const MOST = 2 ** 30;
/** Longest that a timer of Node runs, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/** Throws InternalError for a limit that a policy should have refused at compile time. */
export function assertSlotLimit(limit: number): void {
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= MOST)) {
    throw new InternalError('slot rule: the limit is not a whole number of at least 1');
  }
}

/** The same for the whole rule. */
export function assertSlotRule({ limit, queue, waitMs }: SlotRule): void {
  assertSlotLimit(limit);
  if (!(Number.isInteger(queue) && queue >= 0)) {
    throw new InternalError('slot rule: the queue is not a whole number of at least 0');
  }
  if (!(waitMs >= 0 && waitMs <= LONGEST_MS)) {
    throw new InternalError('slot rule: the wait is not a number of milliseconds');
  }
}
