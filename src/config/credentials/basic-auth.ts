import { ConfigError } from '../../errors.ts';
import { digestVerifier, parsePasswordHash } from '../../identity/index.ts';
import { type BasicAuthConfig, MIN_PASSWORD_LENGTH } from '../schema/credential.ts';
import type { CredentialReading, ReadCredential } from './credential.ts';

const MAX_PASSWORD_LENGTH = 512;

export function readBasicAuth(
  config: BasicAuthConfig,
  reading: CredentialReading,
): ReadCredential | undefined {
  const key = reading.either(config, 'password', 'passwordHash');
  if (key === undefined) return undefined;
  const { username, password, passwordHash } = config;
  const { secrets } = reading.sources;
  const verifier = reading.at(key, () => {
    if (password !== undefined) return digestVerifier(username, sendable(secrets.resolve(password)));
    const hash = secrets.resolve(passwordHash ?? '');
    parsePasswordHash(hash);
    return hash;
  });
  if (verifier === undefined) return undefined;
  const message = (owner: string) => `the user name is already one of consumer "${owner}"`;
  return { kind: 'basic-auth', lookup: username, verifier, unique: { key: 'username', message } };
}

function sendable(password: string): string {
  if (password.length < MIN_PASSWORD_LENGTH) {
    throw ConfigError.at('', `the password is shorter than ${MIN_PASSWORD_LENGTH} characters`);
  }
  // RFC 7617 §2: what the policy refuses could never be sent.
  if (password.length > MAX_PASSWORD_LENGTH || /[\p{Cc}\p{Cs}]/u.test(password)) {
    const problem = `the password has control characters or more than ${MAX_PASSWORD_LENGTH} characters`;
    throw ConfigError.at('', problem);
  }
  return password;
}
