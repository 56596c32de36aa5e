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

/** SHA-256 in base64url. */
const DIGEST_LENGTH = 43;

/** Digests of names, which come again and again; hashing one takes longer than all the rest of a look-up. */
const MAX_NAMES = 4096;

type Kind = CredentialKind | 'consumer';

/** Kinds whose keys are digests already. */
const isDigest = (kind: Kind): boolean => kind === 'api-key' || kind === 'mtls';

/** The digest that a credential or consumer lies under; undefined for a text that cannot be a key of that kind. */
export function digestOf(kind: Kind, key: string): string | undefined {
  if (isDigest(kind)) return key.length === DIGEST_LENGTH ? key : undefined;
  return hash('sha256', key, 'base64url');
}

/** The same for who asks again and again: digests of names are remembered. */
export class LookupDigests {
  readonly #names = new RecentMap<string, string>(MAX_NAMES);

  of(kind: Kind, key: string): string | undefined {
    if (isDigest(kind)) return digestOf(kind, key);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const digest = digestOf(kind, key);
    if (digest !== undefined) this.#names.set(key, digest);
    return digest;
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Beyond six bits, so that one of them shows in the sum of all. */
const NO_SEXTET = 64;
const MAX_CODE = 127;
const SEXTETS = new Uint8Array(MAX_CODE + 1).fill(NO_SEXTET);
for (let i = 0; i < ALPHABET.length; i++) SEXTETS[ALPHABET.charCodeAt(i)] = i;

/** Six bits of a character; of one that has none, some. */
const bitsOf = (digest: string, at: number): number => SEXTETS[digest.charCodeAt(at) & MAX_CODE] & 63;

/** The first 32 bits: where the search begins. Any text gives some number. */
export function homeOf(digest: string): number {
  let word = 0;
  for (let i = 0; i < 5; i++) word = (word << 6) | bitsOf(digest, i);
  return (word << 2) | (bitsOf(digest, 5) >>> 4);
}

/** The 8 bits after those, in the top byte of a word: they keep most look-ups away from entries that are not theirs. */
export const tagOf = (digest: string): number =>
  (((bitsOf(digest, 5) & 15) << 4) | (bitsOf(digest, 6) >>> 2)) << 24;

/** Zeros behind the digest, so that its end is read like the rest. */
const sextets = new Uint8Array(48);

/** Decodes a digest into eight words; false for what is no base64url, or not of the one form that 256 bits have. */
export function readDigest(digest: string, words: Int32Array): boolean {
  let sum = 0;
  let codes = 0;
  for (let i = 0; i < DIGEST_LENGTH; i++) {
    const code = digest.charCodeAt(i);
    const value = SEXTETS[code & MAX_CODE];
    codes |= code;
    sum |= value;
    sextets[i] = value;
  }
  if (codes > MAX_CODE || sum >= NO_SEXTET || (sextets[DIGEST_LENGTH - 1] & 3) !== 0) return false;
  // Sixteen characters are three words.
  for (let word = 0, at = 0; word < KEY_WORDS; word += 3, at += 16) {
    words[word] = wordAt(at) | (sextets[at + 5] >>> 4);
    words[word + 1] = (sextets[at + 5] << 28) | (wordAt(at + 6) >>> 4);
    if (word + 2 === KEY_WORDS) break;
    words[word + 2] = (sextets[at + 10] << 30) | (wordAt(at + 11) >>> 2);
  }
  return true;
}

/** Five characters as the top 30 bits of a word. */
const wordAt = (at: number): number =>
  (sextets[at] << 26) |
  (sextets[at + 1] << 20) |
  (sextets[at + 2] << 14) |
  (sextets[at + 3] << 8) |
  (sextets[at + 4] << 2);
