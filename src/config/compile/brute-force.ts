import type { CredentialGuard } from '../../contract/index.ts';
import { credentialGuard, NO_GUARD } from '../../identity/index.ts';
import type { Static } from '../../lib/schema.ts';
import { ruleFault } from '../../state/index.ts';
import type { IssueList } from '../issues.ts';
import { type BruteForceSchema, DEFAULT_BRUTE_FORCE } from '../schema/brute-force.ts';
import { positiveMs } from './listener.ts';

/** The guard of a document. Faults go to `issues`. */
export function compileGuard(
  config: Static<typeof BruteForceSchema> = {},
  issues: IssueList,
): CredentialGuard {
  if (config === 'off') return NO_GUARD;
  const written = { ...DEFAULT_BRUTE_FORCE, ...config };
  const ms = (key: 'window' | 'banWindow' | 'ban'): number =>
    positiveMs(written[key], ['bruteForce', key], issues);
  const { failures, banAfter } = written;
  const rules = {
    failures,
    banAfter,
    windowMs: ms('window'),
    banWindowMs: ms('banWindow'),
    banMs: ms('ban'),
  };
  if (banAfter < failures) issues.add(['bruteForce', 'banAfter'], 'must not be less than failures');
  if (rules.windowMs < 1000) issues.add(['bruteForce', 'window'], 'must be at least 1s');
  if (rules.banMs < 1000) issues.add(['bruteForce', 'ban'], 'must be at least 1s');
  for (const [limit, windowMs] of [
    [failures, rules.windowMs],
    [banAfter, rules.banWindowMs],
  ]) {
    const fault = ruleFault(limit, windowMs, limit);
    if (fault !== undefined) issues.add(['bruteForce'], fault);
  }
  return credentialGuard(rules);
}
