/** Algorithms for signatures that anybody may verify (RFC 7518 §3.1, RFC 8037, RFC 9864). */
export const PUBLIC_ALGORITHMS = Object.freeze([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const);

/** Algorithms of a shared secret (RFC 7518 §3.2), with the bytes a secret must have at least. */
export const SECRET_ALGORITHMS: Readonly<Record<'HS256' | 'HS384' | 'HS512', number>> = Object.freeze({
  HS256: 32,
  HS384: 48,
  HS512: 64,
});
