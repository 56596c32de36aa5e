import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { CompileDeps } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { SECRET_ALGORITHMS } from '../../identity/index.ts';
import { parseStrictJson } from '../../lib/strict-json.ts';
import { publicKeyOf, suitableAlgorithms, type VerificationKey } from '../../tokens/index.ts';
import type { KeyConfig } from './schema.ts';

/** Why a key of a file is not taken, for whoever wrote the document. */
const FAULTS: Readonly<Record<string, string>> = {
  'other-use': 'is not for verifying signatures',
  malformed: 'is malformed',
  private: 'is a private key: only its public half belongs here',
  secret: 'is a secret: give it as a secret, not in a file of public keys',
  weak: 'is too weak (RSA needs 2048 to 8192 bits and a sound exponent)',
};

const MAX_DEPTH = 16;

/** Keys that are written down. Throws ConfigError at `path`. */
export function readKey(config: KeyConfig, path: string, deps: CompileDeps): readonly VerificationKey[] {
  if ('secret' in config) return [secretKey(config, `${path}.secret`, deps)];
  const keys = readKeyFile(config.file, `${path}.file`, deps);
  if (config.kid === undefined) return keys;
  if (keys.length > 1)
    throw ConfigError.at(`${path}.kid`, 'the file has several keys, which have ids of their own');
  return keys.map((key) => ({ ...key, kid: config.kid, servesAnyKid: false }));
}

/** Every key of a JWK set; a faulty one is a fault of the document, unlike one that an issuer publishes. */
export function readKeyFile(file: string, path: string, deps: CompileDeps): readonly VerificationKey[] {
  const content = atPath(path, () => deps.files.read(file));
  if (content.includes('-----BEGIN')) return [pemKey(content, file, path)];
  const parsed = parseStrictJson(content, MAX_DEPTH);
  if ('fault' in parsed)
    throw ConfigError.at(path, `${file} is neither PEM nor sound JSON (${parsed.fault})`);
  const { value } = parsed;
  const isSet = typeof value === 'object' && value !== null && 'keys' in value;
  if (!isSet)
    return [checked(value, file, path)].map((key) => ({ ...key, servesAnyKid: key.kid === undefined }));
  const list: readonly unknown[] = Array.isArray(value.keys) ? value.keys : [];
  if (list.length === 0) throw ConfigError.at(path, `${file} has no keys`);
  return list.map((jwk, i) => checked(jwk, `key ${i + 1} of ${file}`, path));
}

function checked(jwk: unknown, name: string, path: string): VerificationKey {
  const key = publicKeyOf(jwk);
  if (typeof key === 'string') throw ConfigError.at(path, `${name} ${FAULTS[key]}`);
  return key;
}

/** A public key or a certificate; of a certificate only the key counts. */
function pemKey(content: string, file: string, path: string): VerificationKey {
  // Node would take the public half of it, and a private key would lie about for nothing.
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(content))
    throw ConfigError.at(path, `${file} ${FAULTS.private}`, 'openssl pkey -in key.pem -pubout');
  const key = importPem(content);
  if (key === undefined) throw ConfigError.at(path, `${file} ${FAULTS.malformed}`);
  const algorithms = suitableAlgorithms(key);
  if (typeof algorithms === 'string') throw ConfigError.at(path, `${file} ${FAULTS[algorithms]}`);
  return { kid: undefined, servesAnyKid: true, algorithms, key };
}

function importPem(content: string): KeyObject | undefined {
  try {
    return createPublicKey(content);
  } catch {
    return undefined;
  }
}

function secretKey(
  { secret, encoding = 'text', kid }: Extract<KeyConfig, { secret: string }>,
  path: string,
  deps: CompileDeps,
): VerificationKey {
  const text = atPath(path, () => deps.secrets.resolve(secret));
  // Whoever has a public key could sign with it as a secret.
  if (text.includes('-----BEGIN') || /^\s*\{/.test(text))
    throw ConfigError.at(path, 'is a key and no secret', 'give public keys as file');
  const bytes = Buffer.from(text, encoding === 'text' ? 'utf8' : encoding);
  if (encoding !== 'text' && bytes.toString(encoding).replace(/=+$/, '') !== text.trim().replace(/=+$/, ''))
    throw ConfigError.at(path, `is not ${encoding}`);
  const algorithms = Object.entries(SECRET_ALGORITHMS).flatMap(([name, min]) =>
    bytes.length >= min ? [name] : [],
  );
  if (algorithms.length === 0) {
    const problem = `the secret has ${bytes.length} bytes, less than the ${SECRET_ALGORITHMS.HS256} that HS256 needs`;
    throw ConfigError.at(path, problem, 'make one with: openssl rand -hex 32');
  }
  return { kid, servesAnyKid: kid === undefined, algorithms, key: createSecretKey(bytes) };
}

/** What a file or secret lacks is told where it is named. */
export function atPath(path: string, read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.issues.map((issue) => ({ ...issue, path })));
  }
}
