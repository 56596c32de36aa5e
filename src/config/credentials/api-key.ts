import { ConfigError } from '../../errors.ts';
import { fingerprintOf } from '../digest.ts';
import { type ApiKeyConfig, MIN_SECRET_LENGTH } from '../schema/credential.ts';
import type { CredentialReading, ReadCredential } from './credential.ts';

const SENDABLE = /^[!-~]{1,512}$/;

/** A key is found by its hash and by nothing else: the look-up is the proof. */
export function readApiKey(config: ApiKeyConfig, reading: CredentialReading): ReadCredential | undefined {
  const key = reading.either(config, 'secret', 'hash');
  const { secret, hash } = config;
  const lookup =
    key === undefined
      ? undefined
      : reading.at(key, () => {
          if (hash !== undefined)
            return Buffer.from(hash.slice('sha256:'.length), 'hex').toString('base64url');
          return fingerprintOf(strong(reading.sources.secrets.resolve(secret ?? '')));
        });
  if (key === undefined || lookup === undefined) return undefined;
  const message = (owner: string) => `is the same secret as one of consumer "${owner}"`;
  return { kind: 'api-key', lookup, unique: { key, message } };
}

function strong(secret: string): string {
  if (secret.length < MIN_SECRET_LENGTH) {
    const problem = `the secret is shorter than ${MIN_SECRET_LENGTH} characters`;
    throw ConfigError.at('', problem, 'make one with: openssl rand -hex 24');
  }
  if (SENDABLE.test(secret)) return secret;
  // It could never match, and a control that can never match must not look switched on.
  const problem = 'the secret is not 512 or fewer visible ASCII characters, so no header can carry it';
  throw ConfigError.at('', problem);
}
