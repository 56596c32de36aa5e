import { crc32 } from 'node:zlib';
import type { CredentialKind } from '../../contract/index.ts';

/** Says what a secret is and whose, so that scanners of code and logs can find one that leaked. */
const PREFIXES: Readonly<Record<Exclude<CredentialKind, 'mtls'>, string>> = Object.freeze({
  'api-key': 'spk_',
  'basic-auth': 'spp_',
  'hmac-signature': 'sps_',
});

/** Random bytes in a secret. */
export const SECRET_BYTES = 32;

/** Characters of a key that may be shown: its prefix and 36 of its 256 bits, which leave 220 to guess. */
const SHOWN_CHARACTERS = 10;

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BODY_DIGITS = 43;
const CHECK_DIGITS = 6;

/**
 * A secret of 256 bits in letters and digits, one word to a double click, with a checksum (CRC-32) at its end: a
 * scanner can tell it from what only looks like one, without asking anybody.
 */
export function secretOf(kind: keyof typeof PREFIXES, bytes: Uint8Array): string {
  const text = PREFIXES[kind] + digitsOf(BigInt(`0x${Buffer.from(bytes).toString('hex')}`), BODY_DIGITS);
  return text + digitsOf(BigInt(crc32(text)), CHECK_DIGITS);
}

/** What may be shown of a key. */
export const shownOf = (secret: string): string => secret.slice(0, SHOWN_CHARACTERS);

function digitsOf(number: bigint, count: number): string {
  let text = '';
  for (let rest = number; rest > 0n; rest /= 62n) text = DIGITS[Number(rest % 62n)] + text;
  return text.padStart(count, '0');
}
