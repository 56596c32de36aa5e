import { createHash } from 'node:crypto';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Rollout } from './rollout.ts';

/**
 * Names what somebody agrees to: the revision, what it replaces, the way it is to go and what replay has shown. An
 * approval of anything else does not count. 64 hex digits.
 */
export function evidenceHash({ revision, base, plan, replay }: Rollout): string {
  // Names of callers are whatever their tokens say.
  const sound = (_key: string, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value);
  const seen: unknown = JSON.parse(JSON.stringify({ revision, base, plan, replay }, sound));
  return createHash('sha256').update(canonicalJson(seen)).digest('hex');
}
