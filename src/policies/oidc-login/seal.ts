import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Random } from '../../contract/index.ts';

/** What became of a text that claims to be sealed. */
export type Opened =
  | { readonly kind: 'opened'; readonly text: string }
  /** Sealed with a secret that is not (or no longer) known here, or no sealed text at all. */
  | { readonly kind: 'foreign' }
  /** It names a known key and was not made with it: somebody changed it. */
  | { readonly kind: 'forged' };

interface SealKey {
  readonly id: Buffer;
  readonly cipher: Buffer;
  readonly nonce: Buffer;
}

const VERSION = 1;
const [KEY_ID_BYTES, KEY_BYTES, NONCE_BYTES, TAG_BYTES] = [4, 32, 12, 16];
const HEAD_BYTES = 1 + KEY_ID_BYTES;
const SEALED = /^[A-Za-z0-9_-]+$/;
const FOREIGN: Opened = Object.freeze({ kind: 'foreign' });
const FORGED: Opened = Object.freeze({ kind: 'forged' });

/**
 * Seals texts for cookies: AES-256-GCM (NIST SP 800-38D), so that nobody reads or changes them on their way through a
 * browser. The keys are derived from secrets (HKDF, RFC 5869) for one purpose each: what was sealed for one is foreign
 * to every other. Sealed: base64url of version, key id, nonce, ciphertext, tag.
 */
export class Seal {
  readonly #keys: readonly SealKey[];

  /** The first secret seals, all of them open: a new one is put in front, an old one taken away when all is expired. */
  constructor(secrets: readonly string[], purpose: string) {
    this.#keys = secrets.map((secret) => deriveKey(secret, purpose));
  }

  seal(text: string, random: Random): string {
    const [key] = this.#keys;
    const head = Buffer.concat([Buffer.of(VERSION), key.id]);
    const nonce = nonceFor(key, random.hex(KEY_BYTES), text);
    const cipher = createCipheriv('aes-256-gcm', key.cipher, nonce).setAAD(head);
    const sealed = [head, nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64url');
  }

  open(sealed: string): Opened {
    if (!SEALED.test(sealed)) return FOREIGN;
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length < HEAD_BYTES + NONCE_BYTES + TAG_BYTES || bytes[0] !== VERSION) return FOREIGN;
    const head = bytes.subarray(0, HEAD_BYTES);
    const key = this.#keys.find(({ id }) => timingSafeEqual(id, head.subarray(1)));
    if (key === undefined) return FOREIGN;
    const text = decrypt(key, head, bytes.subarray(HEAD_BYTES));
    return text === undefined ? FORGED : { kind: 'opened', text };
  }
}

function deriveKey(secret: string, purpose: string): SealKey {
  const length = KEY_ID_BYTES + KEY_BYTES + KEY_BYTES;
  const bytes = Buffer.from(
    hkdfSync('sha256', secret, '', `sallyport oidc-login ${VERSION} ${purpose}`, length),
  );
  const cipherAt = KEY_ID_BYTES;
  const nonceAt = cipherAt + KEY_BYTES;
  return {
    id: bytes.subarray(0, cipherAt),
    cipher: bytes.subarray(cipherAt, nonceAt),
    nonce: bytes.subarray(nonceAt),
  };
}

/**
 * GCM breaks when one nonce is used for two texts. Replay gives its own randomness, which may repeat; so the nonce
 * is made of the text as well, and repeats only where the text does.
 */
function nonceFor(key: SealKey, random: string, text: string): Buffer {
  return createHmac('sha256', key.nonce).update(`${random} ${text}`).digest().subarray(0, NONCE_BYTES);
}

function decrypt(key: SealKey, head: Buffer, sealed: Buffer): string | undefined {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tagAt = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key.cipher, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(head).setAuthTag(sealed.subarray(tagAt));
  const start = decipher.update(sealed.subarray(NONCE_BYTES, tagAt));
  try {
    return Buffer.concat([start, decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
