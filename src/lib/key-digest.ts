import { hash } from 'node:crypto';

/** Of 6 bits each: together more than anybody can search for a second value with the same. */
const DIGEST_CHARACTERS = 22;

/**
 * Stands for a value that may be a secret, where it is kept or shown: SHA-256, cut. Who knows the value knows this;
 * from this only a value that can be guessed is found.
 */
export const keyDigest = (value: string): string =>
  `sha256:${hash('sha256', value, 'base64url').slice(0, DIGEST_CHARACTERS)}`;
