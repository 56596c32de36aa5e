import type { CredentialMatch } from '../../contract/index.ts';

/** Why a credential that was found is not accepted at that time; undefined when it is. */
export function validityFault(
  { expiresAtMs, notBeforeMs }: CredentialMatch,
  nowMs: number,
): 'expired' | 'early' | undefined {
  if (expiresAtMs !== undefined && expiresAtMs <= nowMs) return 'expired';
  return notBeforeMs !== undefined && nowMs < notBeforeMs ? 'early' : undefined;
}
