import { hash } from 'node:crypto';
import { type Use, windowFor } from '../../identity/index.ts';
import type { FreshnessRules } from './freshness.ts';

/** The first is that of the defaults: a signature takes a counter for so long, and there are a million of them. */
const WINDOWS_MS: readonly number[] = Object.freeze([360_000, 600_000, 3_600_000, 90_000_000]);

/**
 * The one use of what was signed. By that and not by the signature: of ECDSA there is a second signature for each, which
 * anybody can make from the first.
 */
export function useOf(keyId: string, base: string, { maxAgeMs, toleranceMs }: FreshnessRules): Use {
  return {
    kind: 'hmac-signature',
    id: hash('sha256', JSON.stringify([keyId, base]), 'base64url'),
    windowMs: windowFor(maxAgeMs + 2 * toleranceMs, WINDOWS_MS),
  };
}
