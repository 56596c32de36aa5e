import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { secretOf, shownOf } from './issued-secrets.ts';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const numberOf = (text: string): bigint =>
  [...text].reduce((sum, digit) => sum * 62n + BigInt(DIGITS.indexOf(digit)), 0n);

test('a secret holds all its random bits, says what it is, and ends in a checksum', () => {
  const kinds = [
    ['api-key', 'spk_'],
    ['basic-auth', 'spp_'],
    ['hmac-signature', 'sps_'],
  ] as const;
  for (const bytes of [new Uint8Array(32), new Uint8Array(32).fill(0xff), randomBytes(32)]) {
    for (const [kind, prefix] of kinds) {
      const secret = secretOf(kind, bytes);
      assert.match(secret, /^sp[kps]_[0-9A-Za-z]{49}$/);
      assert.ok(secret.startsWith(prefix));
      assert.equal(numberOf(secret.slice(4, 47)), BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
      assert.equal(numberOf(secret.slice(47)), BigInt(crc32(secret.slice(0, 47))));
    }
  }
});

test('what is shown leaves more than 200 bits to guess', () => {
  const secret = secretOf('api-key', randomBytes(32));
  assert.equal(shownOf(secret), secret.slice(0, 10));
  assert.ok((43 - 6) * Math.log2(62) > 200);
});
