import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { isSoundExponent } from '../identity/index.ts';
import { isObject } from './compact-jws.ts';
import type { VerificationKey } from './key-set.ts';
import { hasRocaFingerprint } from './roca.ts';

/**
 * Why a key is not taken. `other-use`: it is not for signatures, or for none that are known here, which is nothing
 * unusual. All others are: whoever publishes such a key should be told.
 */
export type KeyFault = 'other-use' | 'malformed' | 'private' | 'secret' | 'weak';

const RSA_BITS = { min: 2048, max: 8192 };
const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};
const MAX_KID_LENGTH = 256;
/** Members of public keys; what else a JWK says of itself is never looked at, `x5u` and `x5c` among it. */
const PUBLIC_MEMBERS = ['kty', 'n', 'e', 'crv', 'x', 'y'] as const;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'];

/** A public key from a JWK (RFC 7517 §4) for verifying signatures, or why it is none. */
export function publicKeyOf(jwk: unknown): VerificationKey | KeyFault {
  if (!isObject(jwk) || typeof jwk.kty !== 'string') return 'malformed';
  // A secret that was published is a secret no more; with it anybody could sign.
  if (jwk.kty === 'oct' || Object.hasOwn(jwk, 'k')) return 'secret';
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))) return 'private';
  if (!isForVerifying(jwk)) return 'other-use';
  const { kid, alg } = jwk;
  if (kid !== undefined && !(typeof kid === 'string' && kid.length <= MAX_KID_LENGTH)) return 'malformed';
  if (alg !== undefined && typeof alg !== 'string') return 'malformed';
  const key = importJwk(jwk);
  if (key === undefined) return 'malformed';
  const suitable = suitableAlgorithms(key);
  if (typeof suitable === 'string') return suitable;
  const algorithms = alg === undefined ? suitable : suitable.filter((one) => one === alg);
  return algorithms.length === 0 ? 'other-use' : { kid, servesAnyKid: false, algorithms, key };
}

/** What a public key may verify, or why nothing. */
export function suitableAlgorithms(key: KeyObject): readonly string[] | KeyFault {
  const { modulusLength = 0, publicExponent = 0n, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519'];
  if (key.asymmetricKeyType === 'ec')
    return Object.hasOwn(CURVES, namedCurve) ? [CURVES[namedCurve]] : 'other-use';
  if (key.asymmetricKeyType !== 'rsa') return 'other-use';
  if (modulusLength < RSA_BITS.min || modulusLength > RSA_BITS.max) return 'weak';
  if (!isSoundExponent(publicExponent)) return 'weak';
  return hasRocaFingerprint(modulusOf(key)) ? 'weak' : RSA_ALGORITHMS;
}

/** RFC 7517 §4.2, §4.3. */
function isForVerifying({ use, key_ops: operations }: Readonly<Record<string, unknown>>): boolean {
  if (use !== undefined && use !== 'sig') return false;
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'));
}

function importJwk(jwk: Readonly<Record<string, unknown>>): KeyObject | undefined {
  const key: JsonWebKey = {};
  for (const member of PUBLIC_MEMBERS) {
    const value = jwk[member];
    if (value === undefined) continue;
    if (typeof value !== 'string') return undefined;
    key[member] = value;
  }
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch {
    return undefined;
  }
}

function modulusOf(key: KeyObject): bigint {
  const { n = '' } = key.export({ format: 'jwk' });
  return BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`);
}
