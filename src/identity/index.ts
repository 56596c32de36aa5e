/**
 * What policies that prove who calls share. `fields/`: header fields that credentials come in, and in which an upstream
 * is told. `verifiers/`: keys and hashes that credentials are verified with. `claims/`: callers as tokens name them.
 * `guard/`: against guesses, and against what is good once and comes twice.
 */
export {
  CLAIM_MESSAGE,
  CLAIM_PATTERN,
  type ClaimPath,
  claimAt,
  parseClaimPath,
} from './claims/claim-path.ts';
export {
  ClaimMapping,
  type ClaimMappingConfig,
  type Claims,
  claimMappingSchema,
  TokenCaller,
  type TokenFacts,
} from './claims/claims.ts';
export { type Authorization, parseAuthorization, readAuthorization } from './fields/authorization.ts';
export { challenge, REPEATED_CREDENTIAL } from './fields/challenge.ts';
export {
  AUTHORIZATION_FIELDS,
  credentialFields,
  credentialFieldsOf,
  NO_CREDENTIAL_FIELDS,
} from './fields/credential-fields.ts';
export { fieldList, fieldPart, fieldText, KONG_FIELDS } from './fields/identity-fields.ts';
export { credentialGuard, type GuardRules, NO_GUARD } from './guard/guard.ts';
export { isSeenScope, SeenOnce, seenOnce, type Use, windowFor } from './guard/seen-once.ts';
export { oauthClientOptions } from './oauth-client-options.ts';
export { PUBLIC_ALGORITHMS, SECRET_ALGORITHMS } from './verifiers/algorithms.ts';
export {
  type Argon2Hash,
  digestVerifier,
  hashPassword,
  type PasswordVerifier,
  parsePasswordHash,
  readPasswordVerifier,
  verifyPassword,
} from './verifiers/password-hash.ts';
export { isSoundExponent } from './verifiers/rsa-exponent.ts';
export {
  publicKeyVerifier,
  readSignatureKey,
  type SignatureAlgorithm,
  type SignatureKey,
  sharedSecretVerifier,
} from './verifiers/signature-key.ts';
export { validityFault } from './verifiers/validity.ts';
