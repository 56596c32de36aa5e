import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32c } from './crc32c.ts';

describe('crc32c', () => {
  /** RFC 3720 appendix B.4, and the check value of the algorithm. */
  const cases: readonly (readonly [name: string, bytes: Uint8Array, sum: number])[] = [
    ['nothing', new Uint8Array(), 0],
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['ascending', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['descending', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ['digits', new TextEncoder().encode('123456789'), 0xe3069283],
  ];
  for (const [name, bytes, sum] of cases) {
    it(name, () => assert.equal(crc32c(bytes), sum));
    it(`${name}, in two parts`, () => {
      const half = bytes.length >> 1;
      assert.equal(crc32c(bytes, half, bytes.length, crc32c(bytes, 0, half)), sum);
    });
  }
});
