import type { JudgedOutcome, Undecidable } from '../../contract/index.ts';
import type { ErrorCode } from '../../errors.ts';
import { isSeenScope } from '../../identity/index.ts';

/** What was refused so hangs on what callers did before, wherever that is counted. */
const BY_HISTORY: ReadonlySet<string> = new Set<ErrorCode>(['too-many-failures', 'caller-banned']);
/** It was refused for want of somebody else. */
const WANTING: ReadonlySet<string> = new Set<ErrorCode>([
  'identity-unavailable',
  'limits-unavailable',
  'list-unavailable',
]);

/**
 * Why it would be a guess that a second judgement differs; undefined where it is none. It has counted less than was for
 * real: where a request was refused for what was counted, and the counters were asked again, nothing follows from their
 * letting it on. `asked`: their scopes, each of which begins with the id of its attachment.
 */
export function whyGuessed({ code, by }: JudgedOutcome, asked: readonly string[]): Undecidable | undefined {
  if (code === undefined) return undefined;
  if (WANTING.has(code)) return 'network';
  if (BY_HISTORY.has(code)) return 'sampled';
  if (by !== undefined && asked.some((scope) => scope.startsWith(by))) return 'sampled';
  // A proof that is good once.
  return code === 'invalid-credential' && asked.some(isSeenScope) ? 'sampled' : undefined;
}
