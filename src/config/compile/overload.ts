import type { OverloadPlan } from '../../contract/index.ts';
import type { Static } from '../../lib/schema.ts';
import type { IssueList } from '../issues.ts';
import { DEFAULT_OVERLOAD, type OverloadSchema } from '../schema/overload.ts';
import { positiveMs, sizeOf } from './listener.ts';

/** What is shorter cannot be told from a few requests that came together. */
const LEAST_LAG_MS = 5;
const MOST_LAG_MS = 10_000;
/** Clients believe hours; the overload will be over by then. */
const MOST_RETRY_MS = 3_600_000;

/** When a worker refuses requests since there are too many. Faults go to `issues`. */
export function compileOverload(
  config: Static<typeof OverloadSchema> = {},
  issues: IssueList,
): OverloadPlan | undefined {
  if (config === 'off') return undefined;
  const written = { ...DEFAULT_OVERLOAD, ...config };
  const lagMs = positiveMs(written.lag, ['overload', 'lag'], issues);
  const retryAfterMs = positiveMs(written.retryAfter, ['overload', 'retryAfter'], issues);
  if (lagMs < LEAST_LAG_MS || lagMs > MOST_LAG_MS)
    issues.add(['overload', 'lag'], 'must be between 5ms and 10s');
  if (retryAfterMs < 1000 || retryAfterMs > MOST_RETRY_MS)
    issues.add(['overload', 'retryAfter'], 'must be between 1s and 1h');
  const { memory } = written;
  const bound = memory.endsWith('%')
    ? { share: Number(memory.slice(0, -1)) / 100 }
    : { bytes: sizeOf(memory) };
  if ('bytes' in bound && bound.bytes < 1_000_000) issues.add(['overload', 'memory'], 'must be at least 1MB');
  return Object.freeze({ lagMs, memory: bound, retryAfterMs });
}
