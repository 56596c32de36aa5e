import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from './canonical-json.ts';

describe('canonicalJson', () => {
  const cases: readonly [name: string, value: unknown, text: string][] = [
    ['sorts keys', { b: 1, a: { d: null, c: true } }, '{"a":{"c":true,"d":null},"b":1}'],
    ['keeps the order of lists', [3, 1, 2], '[3,1,2]'],
    // RFC 8785 §3.2.3: UTF-16 code units, not code points.
    ['sorts by code unit', { '\ufb33': 1, '😀': 2, '\r': 3 }, '{"\\r":3,"😀":2,"\ufb33":1}'],
    ['writes numbers as ECMAScript', [1e21, 0.000001, -0, 4.5], '[1e+21,0.000001,0,4.5]'],
    ['escapes strings', '\u0000\n"\\€', '"\\u0000\\n\\"\\\\€"'],
    ['keeps an own __proto__', JSON.parse('{"__proto__":1}'), '{"__proto__":1}'],
  ];
  for (const [name, value, text] of cases) it(name, () => assert.equal(canonicalJson(value), text));

  const refused: readonly [name: string, value: unknown][] = [
    ['NaN', Number.NaN],
    ['infinity', [Number.POSITIVE_INFINITY]],
    ['undefined', { a: undefined }],
    ['a function', () => 1],
    ['a bigint', 1n],
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate in a key', { '\ud800': 1 }],
  ];
  for (const [name, value] of refused)
    it(`refuses ${name}`, () => assert.throws(() => canonicalJson(value), TypeError));

  it('says the same of equal values, whatever their order', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const text = canonicalJson(value);
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        assert.equal(canonicalJson(reversed), text);
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 200 },
    );
  });
});
