export { PUBLIC_ALGORITHMS, SECRET_ALGORITHMS } from './algorithms.ts';
export { type Authorization, parseAuthorization, readAuthorization } from './authorization.ts';
export { challenge, REPEATED_CREDENTIAL } from './challenge.ts';
export { CLAIM_MESSAGE, CLAIM_PATTERN, type ClaimPath, claimAt, parseClaimPath } from './claim-path.ts';
export {
  ClaimMapping,
  type ClaimMappingConfig,
  type Claims,
  claimMappingSchema,
  TokenCaller,
  type TokenFacts,
} from './claims.ts';
export { credentialGuard, type GuardRules, NO_GUARD } from './guard.ts';
export { fieldList, fieldPart, fieldText, KONG_FIELDS } from './identity-fields.ts';
export { oauthClientOptions } from './oauth-client-options.ts';
export {
  type Argon2Hash,
  digestVerifier,
  hashPassword,
  type PasswordVerifier,
  parsePasswordHash,
  readPasswordVerifier,
  verifyPassword,
} from './password-hash.ts';
export { isSoundExponent } from './rsa-exponent.ts';
export { SeenOnce, seenOnce, type Use, windowFor } from './seen-once.ts';
export {
  publicKeyVerifier,
  readSignatureKey,
  type SignatureAlgorithm,
  type SignatureKey,
  sharedSecretVerifier,
} from './signature-key.ts';
export { validityFault } from './validity.ts';
