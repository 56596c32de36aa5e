export { type Authorization, readAuthorization } from './authorization.ts';
export {
  type BearerChallenge,
  BearerRefusals,
  findBearer,
  MAX_TOKEN_LENGTH,
  type PresentedToken,
  readBearer,
} from './bearer.ts';
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
export { type CompactJws, mediaType, readClaims, readCompactJws, type Unreadable } from './compact-jws.ts';
export { type Confirmation, certificateFault, readConfirmation } from './confirmation.ts';
export { loadProofCheck, type ProofCheck, type ProofFault, type ProofRules, type Proven } from './dpop.ts';
export { credentialGuard, type GuardRules, NO_GUARD } from './guard.ts';
export { fieldList, fieldText, KONG_FIELDS } from './identity-fields.ts';
export {
  discoverIssuer,
  endpointOf,
  type IssuerAccess,
  type IssuerMetadata,
  isEndpoint,
  isIssuerUrl,
} from './issuer-metadata.ts';
export { KeySet, type KeySource, staticKeys, type VerificationKey } from './key-set.ts';
export { nameList } from './name-list.ts';
export {
  type ClientCredential,
  type IssuedToken,
  OAuthClient,
  type OAuthClientRules,
} from './oauth-client.ts';
export { compileOAuthClient, oauthClientOptions } from './oauth-options.ts';
export { type LibraryRequest, sendForLibrary } from './oauth-transport.ts';
export {
  type Argon2Hash,
  digestVerifier,
  hashPassword,
  type PasswordVerifier,
  parsePasswordHash,
  readPasswordVerifier,
  verifyPassword,
} from './password-hash.ts';
export { ProofNonces } from './proof-nonces.ts';
export {
  type KeyFault,
  PUBLIC_ALGORITHMS,
  publicKeyOf,
  SECRET_ALGORITHMS,
  suitableAlgorithms,
} from './public-jwk.ts';
export { type ClaimRules, checkClaims, type Validity } from './registered-claims.ts';
export { RemoteKeys, type RemoteKeysRules, remoteKeysRequest } from './remote-keys.ts';
export { loadSignatureCheck, type SignatureCheck, verifyWith } from './signature.ts';
export {
  publicKeyVerifier,
  readSignatureKey,
  type SignatureAlgorithm,
  type SignatureKey,
  sharedSecretVerifier,
} from './signature-key.ts';
export { type OtherPlaces, type PlacedToken, TokenPlaces } from './token-places.ts';
export { validityFault } from './validity.ts';
