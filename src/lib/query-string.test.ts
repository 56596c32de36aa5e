import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parameterValues, withoutParameter } from './query-string.ts';

const CASES: readonly [query: string, values: readonly string[], rest: string][] = [
  ['', [], ''],
  ['a=1', [], 'a=1'],
  ['key=1', ['1'], ''],
  ['key', [''], ''],
  ['key=', [''], ''],
  ['=key', [], '=key'],
  ['a=key', [], 'a=key'],
  ['KEY=1', [], 'KEY=1'],
  ['keys=1&xkey=2', [], 'keys=1&xkey=2'],
  ['key=1&key=2', ['1', '2'], ''],
  ['a=%zz&key=1&b=%2f+', ['1'], 'a=%zz&b=%2f+'],
  ['key=1&&a=1&', ['1'], '&a=1&'],
  ['%6bey=1&k%65y=2&%6B%65%79', ['1', '2', ''], ''],
  ['%256bey=1', [], '%256bey=1'],
  ['key=a+b%20c%3D%', ['a b c=%'], ''],
  ['key=a=b', ['a=b'], ''],
  // The second half of a Unicode escape or of a `;` list is no parameter of ours.
  ['%u006bey=1', [], '%u006bey=1'],
  ['a=1;key=2', [], 'a=1;key=2'],
  ['key=%C3%A9', ['\u00c3\u00a9'], ''],
];

describe('parameters of a query', () => {
  for (const [query, values, rest] of CASES) {
    it(`"${query}"`, () => {
      assert.deepEqual(parameterValues(query, 'key'), values);
      assert.equal(withoutParameter(query, 'key'), rest);
    });
  }

  it('reads as WHATWG’s parser does, and finds nothing where it was taken out', () => {
    const pieces = fc.array(
      fc.constantFrom('key', '%6b', 'ey', '%65', 'y', 'k', '&', '&', '=', '=', '+', '%'),
    );
    fc.assert(
      fc.property(pieces, (parts) => {
        const query = parts.join('');
        assert.deepEqual(parameterValues(query, 'key'), new URLSearchParams(query).getAll('key'));
        const rest = withoutParameter(query, 'key');
        assert.deepEqual(new URLSearchParams(rest).getAll('key'), []);
        const others = (text: string) => [...new URLSearchParams(text)].filter(([name]) => name !== 'key');
        assert.deepEqual(others(rest), others(query));
      }),
    );
  });
});
