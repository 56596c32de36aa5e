import { hash } from 'node:crypto';
import type { CredentialKind } from '../../contract/index.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import { CONSUMER_KIND, KEY_WORDS } from './layout.ts';

/** How entries are told apart: a key of one kind never finds another. */
export const CODES: Readonly<Record<CredentialKind | 'consumer', number>> = Object.freeze({
  'api-key': 1,
  'basic-auth': 2,
  'hmac-signature': 3,
  mtls: 4,
  consumer: CONSUMER_KIND,
});

const KINDS: readonly CredentialKind[] = ['api-key', 'basic-auth', 'hmac-signature', 'mtls'];

export const kindOf = (code: number): CredentialKind | undefined => KINDS[code - 1];

/** SHA-256 in base64url. */
const DIGEST_LENGTH = 43;

/** Digests of names, which come again and again; hashing one takes longer than all the rest of a look-up. */
const MAX_NAMES = 4096;

/** Makes of what a credential or consumer is looked up by the digest that it lies under. */
export class LookupDigests {
  readonly #names = new RecentMap<string, string>(MAX_NAMES);

  /** SHA-256 as base64url; undefined for a text that cannot be a key of that kind. */
  of(kind: CredentialKind | 'consumer', key: string): string | undefined {
    if (kind === 'api-key' || kind === 'mtls') return key.length === DIGEST_LENGTH ? key : undefined;
    let digest = this.#names.get(key);
    if (digest === undefined) {
      digest = hash('sha256', key, 'base64url');
      this.#names.set(key, digest);
    }
    return digest;
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const NO_SEXTET = 64;
const SEXTETS = new Uint8Array(65_536 >>> 8).fill(NO_SEXTET);
for (let i = 0; i < ALPHABET.length; i++) SEXTETS[ALPHABET.charCodeAt(i)] = i;

const sextet = (digest: string, at: number): number => {
  const code = digest.charCodeAt(at);
  return code < SEXTETS.length ? SEXTETS[code] : NO_SEXTET;
};

/** The first 32 bits: where the search begins. Any text gives some number. */
export function homeOf(digest: string): number {
  let word = 0;
  for (let i = 0; i < 5; i++) word = (word << 6) | (sextet(digest, i) & 63);
  return (word << 2) | ((sextet(digest, 5) & 63) >>> 4);
}

/** The 8 bits after those, in the top byte of a word: they keep most look-ups away from entries that are not theirs. */
export const tagOf = (digest: string): number =>
  (((sextet(digest, 5) & 15) << 4) | ((sextet(digest, 6) & 63) >>> 2)) << 24;

/** Decodes a digest into eight words; false for what is no base64url, or not of the one form that 256 bits have. */
export function readDigest(digest: string, words: Int32Array): boolean {
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < DIGEST_LENGTH; i++) {
    const value = sextet(digest, i);
    if (value === NO_SEXTET) return false;
    held += 6;
    if (held < 32) {
      bits = (bits << 6) | value;
      continue;
    }
    held -= 32;
    words[at++] = (bits << (6 - held)) | (value >>> held);
    bits = value & ((1 << held) - 1);
  }
  return at === KEY_WORDS && bits === 0;
}
