export { type Authorization, readAuthorization } from './authorization.ts';
export {
  type BearerChallenge,
  BearerRefusals,
  MAX_TOKEN_LENGTH,
  type PresentedToken,
  readBearer,
} from './bearer.ts';
export { challenge, REPEATED_CREDENTIAL } from './challenge.ts';
export {
  ClaimMapping,
  type ClaimMappingConfig,
  type Claims,
  claimMappingSchema,
  TokenCaller,
  type TokenFacts,
} from './claims.ts';
export { credentialGuard, type GuardRules, NO_GUARD } from './guard.ts';
export {
  type Argon2Hash,
  digestVerifier,
  hashPassword,
  type PasswordVerifier,
  parsePasswordHash,
  readPasswordVerifier,
  verifyPassword,
} from './password-hash.ts';
export {
  publicKeyVerifier,
  readSignatureKey,
  type SignatureAlgorithm,
  type SignatureKey,
  sharedSecretVerifier,
} from './signature-key.ts';
export { validityFault } from './validity.ts';
export {
  type ClientCredential,
  type IssuedToken,
  OAuthClient,
  type OAuthClientRules,
} from './oauth-client.ts';
