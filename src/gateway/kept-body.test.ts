import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeptBody } from './kept-body.ts';

describe('a kept body', () => {
  const cases: readonly (readonly [string, readonly string[], number, string | undefined])[] = [
    ['of one piece', ['abcd'], 4, 'abcd'],
    ['of several', ['ab', 'c', 'd'], 4, 'abcd'],
    ['of nothing', [], 0, ''],
    ['as long as the limit', ['abcde', 'fghij'], 10, 'abcdefghij'],
    ['longer than the limit', ['abcde', 'fghijk'], 11, undefined],
    ['much longer, in pieces that would fit', ['abcde', 'abcde', 'abc', 'abcde'], 18, undefined],
    ['of which not all has passed by', ['abc'], 4, undefined],
    ['of which nothing has passed by', [], 4, undefined],
  ];
  for (const [name, pieces, size, expected] of cases) {
    it(name, () => {
      const kept = new KeptBody(10);
      // They come out of a larger buffer that is used again.
      for (const piece of pieces) {
        const shared = Buffer.from(`<${piece}>`);
        kept.append(shared, 1, 1 + piece.length);
        shared.fill(0);
      }
      assert.equal(kept.whole(size)?.toString(), expected);
    });
  }
});
