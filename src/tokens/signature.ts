import type { CompactJws } from './compact-jws.ts';
import type { KeySet, VerificationKey } from './key-set.ts';

/** Whether a token's signature is one of these keys'. */
export type SignatureCheck = (jws: CompactJws, keys: readonly VerificationKey[]) => Promise<boolean>;

/** Loads the library that verifies signatures: only documents whose policies read signed tokens pay for it. */
export async function loadSignatureCheck(): Promise<SignatureCheck> {
  const { compactVerify } = await import('jose/jws/compact/verify');
  return async ({ token, alg }, keys) => {
    for (const { key, algorithms } of keys) {
      // The key says what it is for, never the token alone: a public key is no secret to try HS256 with.
      if (!algorithms.includes(alg)) continue;
      try {
        await compactVerify(token, key, { algorithms: [alg] });
        return true;
      } catch {
        // Whatever keeps it from being verified, it is not.
      }
    }
    return false;
  };
}

/**
 * Judges a token by a set of keys. `unknown-key`: none of them can have signed it, so that other keys may; its signature
 * was not looked at.
 */
export async function verifyWith(
  check: SignatureCheck,
  jws: CompactJws,
  keys: KeySet,
): Promise<'verified' | 'unknown-key' | 'wrong-signature'> {
  const { alg, kid } = jws;
  const candidates = keys.candidates(alg, kid);
  // A key that is there, and not for this algorithm, is no reason to look for others.
  if (candidates.length === 0)
    return kid !== undefined && keys.hasKid(kid) ? 'wrong-signature' : 'unknown-key';
  return (await check(jws, candidates)) ? 'verified' : 'wrong-signature';
}
