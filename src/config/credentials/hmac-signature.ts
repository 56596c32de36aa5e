import { publicKeyVerifier, sharedSecretVerifier } from '../../identity/index.ts';
import type { HmacSignatureConfig } from '../schema/credential.ts';
import { base64Bytes, type CredentialReading, type ReadCredential } from './credential.ts';

export function readHmacSignature(
  config: HmacSignatureConfig,
  reading: CredentialReading,
): ReadCredential | undefined {
  const key = reading.either(config, 'secret', 'publicKey');
  if (key === undefined) return undefined;
  const { keyId, secret, publicKey, encoding = 'text' } = config;
  const { secrets, files } = reading.sources;
  const verifier = reading.at(key, () => {
    if (publicKey !== undefined) return publicKeyVerifier(files.read(publicKey));
    const text = secrets.resolve(secret ?? '');
    return sharedSecretVerifier(encoding === 'base64' ? base64Bytes(text) : Buffer.from(text));
  });
  if (verifier === undefined) return undefined;
  const message = (owner: string) => `the key id is already one of consumer "${owner}"`;
  return { kind: 'hmac-signature', lookup: keyId, verifier, unique: { key: 'keyId', message } };
}
