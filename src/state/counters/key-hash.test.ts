import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeyHash } from './key-hash.ts';

/** Published vectors of HalfSipHash-2-4 with 64 bits out: bytes of the message (0, 1, 2, …) and the hash. */
const VECTORS: readonly (readonly [bytes: number, hash: string])[] = [
  [0, '218d1f59b9b83cc8'],
  [2, '064f39ef7c50eb57'],
  [4, 'd5e78a175be52ea1'],
  [6, 'ce3e91358aa2bc25'],
  [8, 'edfee820bce4858c'],
  [10, '95b0469f06a6f2ee'],
  [30, '291aaf864898179d'],
  [62, 'f90b3ab572d46693'],
];
const K0 = 0x03020100;
const K1 = 0x07060504;

const hex = (hash: KeyHash): string => {
  const out = Buffer.alloc(8);
  out.writeInt32LE(hash.low, 0);
  out.writeInt32LE(hash.high, 4);
  return out.toString('hex');
};

describe('KeyHash', () => {
  for (const [bytes, expected] of VECTORS) {
    it(`gives the published hash of ${bytes} bytes`, () => {
      const hash = new KeyHash(2, 4);
      hash.update(K0, K1, Buffer.from(Array.from({ length: bytes }, (_, i) => i)).toString('utf16le'));
      assert.equal(hex(hash), expected);
    });
  }

  it('depends on both halves of its key and on every unit', () => {
    const hash = new KeyHash();
    const seen = new Set<string>();
    for (const [k0, k1] of [
      [0, 0],
      [1, 0],
      [0, 1],
    ]) {
      for (const text of ['', 'a', 'b', 'aa', 'ab', 'ba', 'aaa', 'aab', '\0', '\0\0']) {
        hash.update(k0, k1, text);
        seen.add(hex(hash));
      }
    }
    assert.equal(seen.size, 30);
  });
});
