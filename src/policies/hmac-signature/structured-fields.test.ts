import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as sf from 'structured-headers';
import { readDictionary } from './structured-fields.ts';

describe('a dictionary is refused', () => {
  const cases: readonly [name: string, text: string][] = [
    ['that is none', 'sig1=("@method"'],
    ['with a comma at its end', 'a=1,'],
    ['with a string that does not end', 'a="b'],
    ['whose key stands there twice', 'a=1, b=2, a=1'],
    ['whose list stands there twice', 'a=("x");b=1, a=("x");b=1'],
    ['whose parameter stands there twice', 'a=("x");created=2;created=1'],
    ['whose component’s parameter stands there twice', 'a=("x";name="b";name="b")'],
    ['with a number in a second spelling', 'a=01'],
    ['with a negative zero', 'a=-0'],
    ['with a decimal in a second spelling', 'a=1.50'],
    ['with true in a second spelling', 'a;b=?1'],
    ['with base64 in a second spelling', 'a=:YWJjZB==:'],
    ['with base64 without padding', 'a=:YWJjZA:'],
    ['without end', `a="${'x'.repeat(8192)}"`],
    ['beyond ASCII', 'a="caf\u00e9"'],
  ];
  for (const [name, text] of cases) it(name, () => assert.equal(readDictionary(text, sf), undefined));
});

describe('a dictionary is read', () => {
  const cases: readonly [text: string, keys: readonly string[]][] = [
    ['', []],
    ['a=1', ['a']],
    ['a=1,b=2 ,\tc', ['a', 'b', 'c']],
    ['a=( "x"  "y" );b="c, d;e"', ['a']],
    ['a="b \\" c", d=:YWJjZA==:', ['a', 'd']],
  ];
  for (const [text, keys] of cases) {
    it(`"${text}"`, () => assert.deepEqual([...(readDictionary(text, sf)?.keys() ?? ['none'])], keys));
  }

  it('in time that grows with its length only', () => {
    const startMs = performance.now();
    readDictionary(`a="${'\\"'.repeat(4000)}"`, sf);
    readDictionary(`a="${'\\"'.repeat(4000)}`, sf);
    readDictionary('"'.repeat(8000), sf);
    readDictionary(`a=1${' '.repeat(8000)}`, sf);
    assert.ok(performance.now() - startMs < 200);
  });
});
