import { hash } from 'node:crypto';
import type { Claims } from '../../identity/index.ts';
import type { SignedTokenKind } from './signed-tokens.ts';

/** What an ID token must say (OpenID Connect Core §2). */
export const ID_TOKEN: SignedTokenKind = Object.freeze({
  required: Object.freeze(['iss', 'sub', 'aud', 'exp', 'iat']),
  expiry: 'required',
  maxAgeMs: undefined,
});

/** What it must fit to. */
export interface IdTokenContext {
  readonly clientId: string;
  /** Undefined where it is not the first of its sign-in: then it has none, or the first one's (§12.2). */
  readonly nonce: string | undefined;
  /** The access token that came with it. */
  readonly accessToken: string;
  /** What it is signed with. */
  readonly alg: string;
}

const MAX_SUBJECT_LENGTH = 255;

/** Why a verified ID token is not the one that this sign-in waits for (§3.1.3.7, §3.1.3.8); undefined where it is. */
export function idTokenFault(
  claims: Claims,
  { clientId, nonce, accessToken, alg }: IdTokenContext,
): string | undefined {
  const { sub, aud, azp, at_hash: accessHash } = claims;
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT_LENGTH)
    return 'the ID token names no subject';
  if (nonce !== undefined && claims.nonce !== nonce) return 'the ID token is of another sign-in (nonce)';
  // Issued to somebody else, who may know it: among several audiences one is told apart.
  if (Array.isArray(aud) && aud.length > 1 && azp === undefined)
    return 'the ID token does not say to whom it was issued (azp)';
  if (azp !== undefined && azp !== clientId) return 'the ID token was issued to another client (azp)';
  if (accessHash === undefined) return undefined;
  return accessHash === halfHash(accessToken, alg)
    ? undefined
    : 'the ID token is of another access token (at_hash)';
}

/** The left half of a token's hash, with the hash of the signature's algorithm (§3.1.3.6; SHA-512 for EdDSA). */
export function halfHash(token: string, alg: string): string {
  const bits = /\d{3}$/.exec(alg)?.[0] ?? '512';
  const name = bits === '519' ? 'sha512' : `sha${bits}`;
  const digest = hash(name, token, 'buffer');
  return digest.subarray(0, digest.length / 2).toString('base64url');
}
