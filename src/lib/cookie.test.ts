import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cookieValues, withoutCookie } from './cookie.ts';
import { HeaderList } from './header-list.ts';

const CASES: readonly [value: string, values: readonly string[], rest: string][] = [
  ['', [], ''],
  ['a=1', [], 'a=1'],
  ['key=1', ['1'], ''],
  ['key=', [''], ''],
  ['key', [], 'key'],
  ['Key=1; keys=2; xkey=3', [], 'Key=1; keys=2; xkey=3'],
  ['a=1; key=2; b="3;4"', ['2'], 'a=1; b="3;4"'],
  ['key=2; a=1', ['2'], 'a=1'],
  ['a=1; key=2', ['2'], 'a=1'],
  ['a=1;key=2;b=3', ['2'], 'a=1;b=3'],
  ['a=1;  key = 2 ;\tb=3', ['2'], 'a=1;\tb=3'],
  ['key=1; key=2', ['1', '2'], ''],
  ['key="1"', ['"1"'], ''],
  ['key=a=b', ['a=b'], ''],
  ['a=key=1', [], 'a=key=1'],
  ['%6bey=1', [], '%6bey=1'],
];

describe('cookies', () => {
  for (const [value, values, rest] of CASES) {
    it(`"${value}"`, () => {
      assert.deepEqual(cookieValues(new HeaderList(['Cookie', value]), 'key'), values);
      assert.equal(withoutCookie(value, 'key'), rest);
    });
  }

  it('are looked for in every field', () => {
    const headers = new HeaderList(['Cookie', 'key=1', 'a', 'key=2', 'COOKIE', 'a=1; key=3']);
    assert.deepEqual(cookieValues(headers, 'key'), ['1', '3']);
  });
});
