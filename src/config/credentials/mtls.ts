import { hash, X509Certificate } from 'node:crypto';
import { ConfigError } from '../../errors.ts';
import type { MtlsConfig } from '../schema/credential.ts';
import type { CredentialReading, ReadCredential } from './credential.ts';

/** A certificate is found by its thumbprint; that the caller has its key, the TLS handshake has shown. */
export function readMtls(config: MtlsConfig, reading: CredentialReading): ReadCredential | undefined {
  const key = reading.either(config, 'certificate', 'thumbprint');
  if (key === undefined) return undefined;
  const { certificate, thumbprint } = config;
  const lookup = reading.at(key, () =>
    certificate === undefined
      ? readThumbprint(thumbprint ?? '')
      : thumbprintOf(reading.sources.files.read(certificate)),
  );
  if (lookup === undefined) return undefined;
  const message = (owner: string) => `is the same certificate as one of consumer "${owner}"`;
  return { kind: 'mtls', lookup, unique: { key, message } };
}

/** SHA-256 of the one certificate in a PEM text, base64url. Throws ConfigError. */
export function thumbprintOf(pem: string): string {
  const count = pem.split('-----BEGIN CERTIFICATE-----').length - 1;
  if (count !== 1) throw ConfigError.at('', `holds ${count} certificates in PEM, not one`);
  try {
    return hash('sha256', new X509Certificate(pem).raw, 'base64url');
  } catch {
    throw ConfigError.at('', 'holds no certificate that can be read');
  }
}

/** Base64url of one written in base64url or hex. */
function readThumbprint(text: string): string {
  if (text.length !== 43) return Buffer.from(text.replaceAll(':', ''), 'hex').toString('base64url');
  if (Buffer.from(text, 'base64url').toString('base64url') === text) return text;
  throw ConfigError.at('', 'is not the base64url of 32 bytes');
}
