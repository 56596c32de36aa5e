import { thumbprintOf } from '../../config/index.ts';
import type { CredentialKind } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { hashPassword, publicKeyVerifier, sharedSecretVerifier } from '../../identity/index.ts';
import { ProblemError } from '../admin/problem.ts';
import { SECRET_BYTES, secretOf, shownOf } from './issued-secrets.ts';
import { type MasterKeys, SealError } from './master-keys.ts';

/** What a new credential is to be; the kind decides what else may be said. */
export interface CredentialRequest {
  readonly kind: CredentialKind;
  /** `basic-auth`: default the consumer's name. */
  readonly username?: string | undefined;
  /** `hmac-signature`: default the credential's id. */
  readonly keyId?: string | undefined;
  /** `hmac-signature`: PEM, in place of a shared secret. */
  readonly publicKey?: string | undefined;
  /** `mtls`: PEM. */
  readonly certificate?: string | undefined;
}

/** How a credential is kept, and the secret that is shown once. */
export interface MadeCredential {
  readonly lookup: string;
  readonly shown: string;
  readonly verifier: string | undefined;
  readonly sealed: string | undefined;
  /** Undefined where the caller has it already: a private key. */
  readonly secret: string | undefined;
}

export interface Making {
  readonly id: string;
  readonly consumer: string;
  readonly keys: MasterKeys;
  readonly randomBytes: (size: number) => Uint8Array;
  /** SHA-256 in base64url. */
  readonly digest: (text: string) => string;
}

const SALT_BYTES = 16;
const NOTHING_KEPT = { verifier: undefined, sealed: undefined };

/** Makes a credential. @throws ProblemError `invalid-request` for what does not go with its kind or cannot be read */
export async function makeCredential(request: CredentialRequest, making: Making): Promise<MadeCredential> {
  refuseStrangers(request);
  switch (request.kind) {
    case 'api-key':
      return makeApiKey(making);
    case 'basic-auth':
      return await makePassword(request.username ?? making.consumer, making);
    case 'hmac-signature':
      return makeSignatureKey(request, making);
    case 'mtls':
      return makeCertificate(request);
  }
}

const FIELDS: Readonly<Record<CredentialKind, readonly string[]>> = {
  'api-key': [],
  'basic-auth': ['username'],
  'hmac-signature': ['keyId', 'publicKey'],
  mtls: ['certificate'],
};

/** What is not looked at must not seem to have been. */
function refuseStrangers({ kind, ...more }: CredentialRequest): void {
  for (const [name, value] of Object.entries(more)) {
    if (value !== undefined && !FIELDS[kind].includes(name)) {
      throw new ProblemError('invalid-request', `${name} is nothing that a credential of kind ${kind} has.`);
    }
  }
}

function makeApiKey({ randomBytes, digest }: Making): MadeCredential {
  const secret = secretOf('api-key', randomBytes(SECRET_BYTES));
  return { lookup: digest(secret), shown: shownOf(secret), ...NOTHING_KEPT, secret };
}

async function makePassword(username: string, { randomBytes }: Making): Promise<MadeCredential> {
  const secret = secretOf('basic-auth', randomBytes(SECRET_BYTES));
  const verifier = await hashPassword(secret, randomBytes(SALT_BYTES));
  return { lookup: username, shown: username, verifier, sealed: undefined, secret };
}

function makeSignatureKey({ keyId, publicKey }: CredentialRequest, making: Making): MadeCredential {
  const { id, keys, randomBytes } = making;
  const lookup = keyId ?? id;
  if (publicKey !== undefined) {
    const verifier = understood('publicKey', () => publicKeyVerifier(publicKey));
    return { lookup, shown: lookup, verifier, sealed: undefined, secret: undefined };
  }
  const secret = secretOf('hmac-signature', randomBytes(SECRET_BYTES));
  const sealed = sealedWith(keys, sharedSecretVerifier(Buffer.from(secret)), id);
  return { lookup, shown: lookup, verifier: undefined, sealed, secret };
}

function sealedWith(keys: MasterKeys, secret: string, id: string): string {
  try {
    return keys.seal(secret, id);
  } catch (error) {
    if (error instanceof SealError) throw new ProblemError('store-unavailable', error.message);
    throw error;
  }
}

function makeCertificate({ certificate }: CredentialRequest): MadeCredential {
  if (certificate === undefined) {
    throw new ProblemError('invalid-request', 'A credential of kind mtls needs its certificate, in PEM.');
  }
  const lookup = understood('certificate', () => thumbprintOf(certificate));
  return { lookup, shown: lookup, ...NOTHING_KEPT, secret: undefined };
}

function understood<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ProblemError('invalid-request', `${name} ${error.message}.`);
  }
}
