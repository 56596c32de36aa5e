import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseByteSize } from './byte-size.ts';

describe('parseByteSize', () => {
  const cases: readonly [text: string, bytes: number | undefined][] = [
    ['0B', 0],
    ['512B', 512],
    ['64kB', 64_000],
    ['64KiB', 65_536],
    ['10MB', 10_000_000],
    ['1MiB', 1_048_576],
    ['2GB', 2_000_000_000],
    ['1GiB', 1_073_741_824],
    ['', undefined],
    ['64', undefined],
    ['64KB', undefined],
    ['64kb', undefined],
    ['-1B', undefined],
    ['1.5MB', undefined],
    ['01B', undefined],
    ['1 MB', undefined],
    ['1MB\n', undefined],
    ['9999999999B', undefined],
    ['１MB', undefined],
  ];
  for (const [text, bytes] of cases) {
    it(`${JSON.stringify(text)} is ${bytes}`, () => assert.equal(parseByteSize(text), bytes));
  }
});
