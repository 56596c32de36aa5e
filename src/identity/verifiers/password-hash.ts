import { type Argon2Parameters, argon2, hash, timingSafeEqual } from 'node:crypto';
import { ConfigError } from '../../errors.ts';

/** What one derivation costs: memory in KiB, passes over it, lanes (RFC 9106 §3.1). */
export interface HashCost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

/** What new hashes are made with (OWASP's first choice; about 50 ms and 19 MiB). */
const DEFAULT_COST: HashCost = Object.freeze({ memoryKiB: 19_456, passes: 2, lanes: 1 });

/** Bounds of what a document may ask of a worker: 64 MiB, and about 0.4 s on one core. */
const MAX_MEMORY_KIB = 65_536;
const MAX_WORK_KIB = 262_144;
const MAX_LANES = 4;
const [MIN_SALT_BYTES, MAX_SALT_BYTES] = [8, 64];
const [MIN_TAG_BYTES, MAX_TAG_BYTES] = [16, 64];

/** How many random bytes go into a new hash. */
const SALT_BYTES = 16;
const TAG_BYTES = 32;

/** An argon2id hash, read. */
export interface Argon2Hash extends HashCost {
  readonly salt: Buffer;
  readonly tag: Buffer;
}

/** What a password is held against: its hash, or the digest of one that the document gave in clear. */
export type PasswordVerifier =
  | { readonly kind: 'argon2id'; readonly hash: Argon2Hash }
  | { readonly kind: 'digest'; readonly digest: Buffer };

const DIGEST_PREFIX = '$sha256$';
const PHC =
  /^\$argon2id\$v=19\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]{0,3}),p=([1-9][0-9]{0,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/**
 * Reads an argon2id hash in the PHC string format (version 19, no further parameters). Throws ConfigError for any
 * other text and for costs that could hold a worker.
 */
export function parsePasswordHash(text: string): Argon2Hash {
  const match = text.length > 300 ? null : PHC.exec(text);
  if (match === null) {
    const form = '$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH';
    throw ConfigError.at('', 'is no argon2id hash in PHC format', `it looks like ${form}`);
  }
  const [memoryKiB, passes, lanes] = [Number(match[1]), Number(match[2]), Number(match[3])];
  checkCost({ memoryKiB, passes, lanes });
  const salt = bytesOf(match[4], MIN_SALT_BYTES, MAX_SALT_BYTES, 'salt');
  const tag = bytesOf(match[5], MIN_TAG_BYTES, MAX_TAG_BYTES, 'hash');
  return { memoryKiB, passes, lanes, salt, tag };
}

function checkCost({ memoryKiB, passes, lanes }: HashCost): void {
  if (lanes > MAX_LANES) throw ConfigError.at('', `asks for more than ${MAX_LANES} lanes (p)`);
  if (memoryKiB < 8 * lanes) throw ConfigError.at('', 'asks for less than 8 KiB (m) a lane');
  if (memoryKiB > MAX_MEMORY_KIB) throw ConfigError.at('', `asks for more than ${MAX_MEMORY_KIB} KiB (m)`);
  if (memoryKiB * passes > MAX_WORK_KIB) {
    const message = `asks for more work than a worker may be held with: m times t is over ${MAX_WORK_KIB}`;
    throw ConfigError.at('', message, 'm=19456,t=2,p=1 is enough');
  }
}

/** Base64 without padding, in its one spelling. */
function bytesOf(text: string, min: number, max: number, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== text) {
    throw ConfigError.at('', `the ${what} is not base64 without padding`);
  }
  if (bytes.length < min || bytes.length > max) {
    throw ConfigError.at('', `the ${what} is not ${min} to ${max} bytes long`);
  }
  return bytes;
}

/**
 * What a password that a document refers to is held as. A digest, not a slow hash: the process has the password in
 * clear anyway (it reads it anew with each revision), so deriving a hash in every worker at every reload would cost
 * and protect nothing. Guesses are not made faster by it: every check pays for a derivation (`verifyPassword`).
 */
export function digestVerifier(user: string, password: string): string {
  return `${DIGEST_PREFIX}${digestOf(user, password).toString('base64url')}`;
}

/** The verifier of a credential of kind `basic-auth`. Throws ConfigError for what is none. */
export function readPasswordVerifier(text: string): PasswordVerifier {
  if (!text.startsWith(DIGEST_PREFIX)) return { kind: 'argon2id', hash: parsePasswordHash(text) };
  return { kind: 'digest', digest: Buffer.from(text.slice(DIGEST_PREFIX.length), 'base64url') };
}

/** Hashes a new password, on the thread pool. `salt`: fresh random bytes. */
export async function hashPassword(password: string, salt: Uint8Array): Promise<string> {
  if (salt.length < SALT_BYTES) throw new TypeError(`a salt has at least ${SALT_BYTES} bytes`);
  const tag = await derive(password, { ...DEFAULT_COST, salt, tagBytes: TAG_BYTES });
  const { memoryKiB, passes, lanes } = DEFAULT_COST;
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '');
  return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$${text(salt)}$${text(tag)}`;
}

const NO_SALT = Buffer.alloc(SALT_BYTES);
const NO_TAG = Buffer.alloc(TAG_BYTES);

/**
 * Whether it is the password. One derivation whatever it is held against, so that time does not tell how a password
 * is kept or whether there is one: without a verifier the answer is no, for the same price.
 */
export async function verifyPassword(
  user: string,
  password: string,
  verifier: PasswordVerifier | undefined,
): Promise<boolean> {
  const stored =
    verifier?.kind === 'argon2id' ? verifier.hash : { ...DEFAULT_COST, salt: NO_SALT, tag: NO_TAG };
  const derived = await derive(password, { ...stored, tagBytes: stored.tag.length });
  const digest = digestOf(user, password);
  if (verifier?.kind === 'digest') return isEqual(digest, verifier.digest);
  return isEqual(derived, stored.tag) && verifier !== undefined;
}

interface Derivation extends HashCost {
  readonly salt: Uint8Array;
  readonly tagBytes: number;
}

function derive(password: string, { memoryKiB, passes, lanes, salt, tagBytes }: Derivation): Promise<Buffer> {
  const parameters: Argon2Parameters = {
    message: password,
    nonce: salt,
    memory: memoryKiB,
    passes,
    parallelism: lanes,
    tagLength: tagBytes,
  };
  return new Promise((resolve, fail) => {
    argon2('argon2id', parameters, (error, tag) => (error === null ? resolve(tag) : fail(error)));
  });
}

/** Bound to the user, so that equal passwords of two have nothing in common. */
const digestOf = (user: string, password: string): Buffer =>
  hash('sha256', JSON.stringify([user, password]), 'buffer');

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);
