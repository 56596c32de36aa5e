import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../../errors.ts';
import { makeOnce, readPrivate } from '../private-file.ts';

const FILE_NAME = 'master-key';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_BYTES = 6;
const CIPHER = 'aes-256-gcm';
const VERSION = 'v1';
/** Master keys are random already. */
const NO_SALT = new Uint8Array();

/** Why an encrypted secret cannot be read. The message tells which key it needs, never what is in it. */
export class SealError extends Error {
  override readonly name = 'SealError';
}

/**
 * Encrypts secrets that have to be kept (AES-256-GCM, a random nonce each). A secret is bound to the id it was sealed
 * for: moved to another row it cannot be read. Each names the key it needs, so that keys can be rotated: the first
 * one seals, all of them open.
 */
export interface MasterKeys {
  seal(secret: string, id: string): string;
  /** @throws SealError for a key that is not at hand, another id, or a changed text */
  open(sealed: string, id: string): string;
  /** Whether it was sealed with the first key. */
  isCurrent(sealed: string): boolean;
  /**
   * Keys for another purpose, of all master keys (HKDF, RFC 5869), the current one first: what they encrypt, and who has
   * them, tells nothing of the master keys.
   * @throws SealError for a key that cannot be read or made
   */
  derived(purpose: string): readonly DerivedKey[];
}

/** A key that comes of a master key. */
export interface DerivedKey {
  /** Of the master key. */
  readonly id: string;
  /** 256 bits. */
  readonly key: Uint8Array;
}

export interface MasterKeySource {
  /** `env:NAME` or `file:PATH`, the current one first; none: a file in the data folder, made when first needed. */
  readonly references: readonly string[];
  readonly dataDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** From a cryptographic source. */
  readonly randomBytes: (size: number) => Uint8Array;
}

/** @throws ConfigError for a reference that cannot be read or holds no key of 256 bits */
export function openMasterKeys(source: MasterKeySource): MasterKeys {
  const { references, dataDir, randomBytes } = source;
  if (references.length > 0) {
    return new GivenKeys(
      references.map((reference) => keyOf(reference, readReference(reference, source))),
      randomBytes,
    );
  }
  return new KeyInFile(join(dataDir, FILE_NAME), randomBytes);
}

class GivenKeys implements MasterKeys {
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #current: string;
  readonly #randomBytes: (size: number) => Uint8Array;

  constructor(keys: readonly Buffer[], randomBytes: (size: number) => Uint8Array) {
    this.#keys = new Map(keys.map((key) => [keyIdOf(key), key]));
    this.#current = keyIdOf(keys[0]);
    this.#randomBytes = randomBytes;
  }

  seal(secret: string, id: string): string {
    const nonce = this.#randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key(this.#current), nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(boundTo(id));
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return [
      VERSION,
      this.#current,
      Buffer.from(nonce).toString('base64url'),
      sealed.toString('base64url'),
    ].join('.');
  }

  open(sealed: string, id: string): string {
    const [version, keyId, nonce = '', text = ''] = sealed.split('.');
    if (version !== VERSION) throw new SealError('the encrypted secret has an unknown form');
    const bytes = Buffer.from(text, 'base64url');
    try {
      const decipher = createDecipheriv(CIPHER, this.#key(keyId), Buffer.from(nonce, 'base64url'), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(boundTo(id));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      return decipher.update(bytes.subarray(0, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    } catch (cause) {
      if (cause instanceof SealError) throw cause;
      throw new SealError('the encrypted secret was changed, or is another credential’s', { cause });
    }
  }

  isCurrent(sealed: string): boolean {
    return sealed.split('.')[1] === this.#current;
  }

  derived(purpose: string): readonly DerivedKey[] {
    return [...this.#keys].map(([id, key]) => ({
      id,
      key: new Uint8Array(hkdfSync('sha256', key, NO_SALT, `sallyport ${purpose}`, KEY_BYTES)),
    }));
  }

  #key(id: string): Buffer {
    const key = this.#keys.get(id);
    if (key === undefined)
      throw new SealError(`the encrypted secret needs the master key ${id}, which is not given`);
    return key;
  }
}

/** The key in the data folder: read, and where there is none made, when it is first asked for. */
class KeyInFile implements MasterKeys {
  readonly #path: string;
  readonly #randomBytes: (size: number) => Uint8Array;
  #keys: GivenKeys | undefined;

  constructor(path: string, randomBytes: (size: number) => Uint8Array) {
    this.#path = path;
    this.#randomBytes = randomBytes;
  }

  seal(secret: string, id: string): string {
    return this.#load().seal(secret, id);
  }

  open(sealed: string, id: string): string {
    return this.#load().open(sealed, id);
  }

  isCurrent(sealed: string): boolean {
    return this.#load().isCurrent(sealed);
  }

  derived(purpose: string): readonly DerivedKey[] {
    return this.#load().derived(purpose);
  }

  #load(): GivenKeys {
    this.#keys ??= new GivenKeys([this.#read()], this.#randomBytes);
    return this.#keys;
  }

  #read(): Buffer {
    try {
      const text = Buffer.from(this.#randomBytes(KEY_BYTES)).toString('base64url');
      makeOnce(this.#path, `${text}\n`, this.#randomBytes);
      return keyOf(this.#path, readPrivate(this.#path, 'the master key'));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SealError(`the master key cannot be used: ${reason}`, { cause });
    }
  }
}

const boundTo = (id: string): Buffer => Buffer.from(`sallyport credential ${id}`);

/** Tells keys apart and nothing about them. */
const keyIdOf = (key: Buffer): string =>
  createHash('sha256')
    .update('sallyport master key id')
    .update(key)
    .digest()
    .toString('hex', 0, KEY_ID_BYTES);

function readReference(reference: string, { environment }: MasterKeySource): string {
  if (reference.startsWith('env:')) {
    const text = environment[reference.slice(4)];
    if (text !== undefined && text !== '') return text.trim();
    throw ConfigError.at('--master-key', `the environment has no ${reference.slice(4)}`);
  }
  if (!reference.startsWith('file:')) {
    throw ConfigError.at('--master-key', 'takes env:NAME or file:PATH, never the key itself');
  }
  try {
    return readFileSync(reference.slice('file:'.length), 'utf8').trim();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw ConfigError.at('--master-key', `cannot be read: ${reason}`);
  }
}

/** 256 bits in hex, base64 or base64url. A passphrase is no key: nothing slows down who guesses it. */
function keyOf(name: string, text: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  const key = Buffer.from(text, 'base64');
  if (/^[\w+/-]{43}=?$/.test(text) && key.length === KEY_BYTES) return key;
  const problem = `${name} holds no key of ${KEY_BYTES} bytes in hex or base64`;
  throw ConfigError.at('--master-key', problem, 'make one with: openssl rand -base64 32');
}
