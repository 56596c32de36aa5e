import type { PresentedSignature } from './presented.ts';

/** For how long signatures are good. Milliseconds. */
export interface FreshnessRules {
  readonly maxAgeMs: number;
  readonly toleranceMs: number;
}

/** Why a signature is not good at that time, or undefined (RFC 9421 §3.2.1). */
export function freshnessFault(
  { created, expires }: Pick<PresentedSignature, 'created' | 'expires'>,
  { maxAgeMs, toleranceMs }: FreshnessRules,
  nowMs: number,
): string | undefined {
  const createdMs = created * 1000;
  if (createdMs > nowMs + toleranceMs) return 'the signature was created in the future';
  if (createdMs + maxAgeMs + toleranceMs <= nowMs) return 'the signature is too old';
  if (expires !== undefined && expires * 1000 + toleranceMs <= nowMs) return 'the signature has expired';
  return undefined;
}
