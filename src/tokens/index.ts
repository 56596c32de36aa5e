export {
  type BearerChallenge,
  BearerRefusals,
  findBearer,
  MAX_TOKEN_LENGTH,
  type PresentedToken,
  readBearer,
} from './bearer.ts';
export { type CompactJws, mediaType, readClaims, readCompactJws, type Unreadable } from './compact-jws.ts';
export { type Confirmation, certificateFault, readConfirmation } from './confirmation.ts';
export {
  loadProofTools,
  ProofCheck,
  type ProofFault,
  type ProofRules,
  type ProofTools,
  type Proven,
} from './dpop.ts';
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
export { compileOAuthClient } from './oauth-options.ts';
export { type LibraryRequest, sendForLibrary } from './oauth-transport.ts';
export { ProofNonces } from './proof-nonces.ts';
export {
  type KeyFault,
  publicKeyOf,
  suitableAlgorithms,
} from './public-jwk.ts';
export { type ClaimRules, checkClaims, type Validity } from './registered-claims.ts';
export { RemoteKeys, type RemoteKeysRules, remoteKeysRequest } from './remote-keys.ts';
export { loadSignatureCheck, type SignatureCheck, verifyWith } from './signature.ts';
export { type OtherPlaces, type PlacedToken, TokenPlaces } from './token-places.ts';
