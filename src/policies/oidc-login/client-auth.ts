import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { ClientAuth, CryptoKey } from 'oauth4webapi';
import { ConfigError } from '../../errors.ts';
import type { ClientSettings } from './settings.ts';

type Library = typeof import('oauth4webapi');

/** How the gateway proves itself to a provider, ready for the library. Throws ConfigError for a key that is none. */
export function clientAuthentication(library: Library, client: ClientSettings): ClientAuth {
  if (client.auth === 'none') return library.None();
  if (client.auth === 'client-secret-post') return library.ClientSecretPost(client.secret);
  if (client.auth === 'client-secret-basic') return library.ClientSecretBasic(client.secret);
  const key = signingKey(client.key);
  return library.PrivateKeyJwt(client.keyId === undefined ? key : { key, kid: client.keyId });
}

const MIN_RSA_BITS = 2048;

function signingKey(pem: string): CryptoKey {
  const key = privateKey(pem);
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ed25519') return key.toCryptoKey('Ed25519', false, ['sign']);
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= MIN_RSA_BITS)
    return key.toCryptoKey({ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, false, ['sign']);
  const curve = namedCurve === 'prime256v1' ? 'P-256' : namedCurve === 'secp384r1' ? 'P-384' : undefined;
  if (curve !== undefined) return key.toCryptoKey({ name: 'ECDSA', namedCurve: curve }, false, ['sign']);
  throw ConfigError.at(
    'clientKey',
    `is no RSA key of ${MIN_RSA_BITS} bits or more, no EC P-256, P-384 or Ed25519 key`,
  );
}

function privateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw ConfigError.at(
      'clientKey',
      'is no private key in PEM',
      'it begins with -----BEGIN PRIVATE KEY-----',
    );
  }
}
