import {
  constants,
  createHmac,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { ConfigError } from '../../errors.ts';
import { isSoundExponent } from './rsa-exponent.ts';

/** Names of the registry "HTTP Signature Algorithms" (RFC 9421 §6.2.2). RSASSA-PKCS1-v1_5 is left out: it is old. */
export type SignatureAlgorithm =
  | 'hmac-sha256'
  | 'ed25519'
  | 'ecdsa-p256-sha256'
  | 'ecdsa-p384-sha384'
  | 'rsa-pss-sha512';

/** A key with the one algorithm it is good for: what a message claims about the algorithm never chooses one. */
export interface SignatureKey {
  readonly algorithm: SignatureAlgorithm;
  verifies(signed: Uint8Array, signature: Uint8Array): boolean;
}

/** A shorter shared secret could be searched for (RFC 2104 §3: not less than the length of the hash). */
const MIN_SHARED_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2048;
/** Beyond it a verification would hold the worker for longer than a request may. */
const MAX_RSA_BITS = 8192;

const SECRET_PREFIX = 'hmac-sha256:';

/** What a shared secret is held as. */
export function sharedSecretVerifier(secret: Uint8Array): string {
  if (secret.length < MIN_SHARED_SECRET_BYTES) {
    const message = `the secret is shorter than ${MIN_SHARED_SECRET_BYTES} bytes`;
    throw ConfigError.at('', message, 'make one with: openssl rand -hex 32');
  }
  return `${SECRET_PREFIX}${Buffer.from(secret).toString('base64url')}`;
}

/** What a public key in PEM is held as. Throws ConfigError for a private key and for kinds that sign nothing here. */
export function publicKeyVerifier(pem: string): string {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    const suggestion = 'keep it with the caller; openssl pkey -pubout writes the public key';
    throw ConfigError.at('', 'holds a private key', suggestion);
  }
  const key = publicKeyOf(pem);
  algorithmOf(key);
  return String(key.export({ type: 'spki', format: 'pem' }));
}

/**
 * The key in a verifier of kind `hmac-signature`. A public key is told from a shared secret by the form of the
 * verifier alone, so that its text can never be taken for a secret. Throws ConfigError for what is neither.
 */
export function readSignatureKey(verifier: string): SignatureKey {
  if (verifier.startsWith(SECRET_PREFIX)) {
    const secret = createSecretKey(verifier.slice(SECRET_PREFIX.length), 'base64url');
    return { algorithm: 'hmac-sha256', verifies: (signed, signature) => hasMac(secret, signed, signature) };
  }
  const key = publicKeyOf(verifier);
  const algorithm = algorithmOf(key);
  return { algorithm, verifies: (signed, signature) => VERIFY[algorithm](key, signed, signature) };
}

function publicKeyOf(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch {
    throw ConfigError.at('', 'is no public key in PEM', 'it begins with -----BEGIN PUBLIC KEY-----');
  }
}

type PublicKeyAlgorithm = Exclude<SignatureAlgorithm, 'hmac-sha256'>;

function algorithmOf(key: KeyObject): PublicKeyAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ed25519') return 'ed25519';
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return 'ecdsa-p256-sha256';
  if (type === 'ec' && details?.namedCurve === 'secp384r1') return 'ecdsa-p384-sha384';
  if (type !== 'rsa' && type !== 'rsa-pss') {
    throw ConfigError.at('', 'is a key of another kind than Ed25519, EC P-256, EC P-384 and RSA');
  }
  const bits = details?.modulusLength ?? 0;
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
    throw ConfigError.at('', `is an RSA key of ${bits} bits, not of ${MIN_RSA_BITS} to ${MAX_RSA_BITS}`);
  }
  if (!isSoundExponent(details?.publicExponent ?? 0n))
    throw ConfigError.at('', 'is an RSA key with an unsound exponent', 'make one with the usual 65537');
  return 'rsa-pss-sha512';
}

type Verify = (key: KeyObject, signed: Uint8Array, signature: Uint8Array) => boolean;

/** RFC 9421 §3.3.1, §3.3.4, §3.3.5, §3.3.6. */
const VERIFY: Readonly<Record<PublicKeyAlgorithm, Verify>> = Object.freeze({
  ed25519: (key, signed, signature) => verify(null, signed, key, signature),
  'ecdsa-p256-sha256': (key, signed, signature) =>
    signature.length === 64 && verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature),
  'ecdsa-p384-sha384': (key, signed, signature) =>
    signature.length === 96 && verify('sha384', signed, { key, dsaEncoding: 'ieee-p1363' }, signature),
  'rsa-pss-sha512': (key, signed, signature) => {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return verify('sha512', signed, { key, padding, saltLength: 64 }, signature);
  },
});

function hasMac(secret: KeyObject, signed: Uint8Array, signature: Uint8Array): boolean {
  const mac = createHmac('sha256', secret).update(signed).digest();
  return signature.length === mac.length && timingSafeEqual(mac, signature);
}
