import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type JsonFault, parseStrictJson } from './strict-json.ts';

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('strict JSON refuses', () => {
  const cases: [what: string, text: string, fault: JsonFault][] = [
    ['a key twice', '{"a":1,"a":2}', 'duplicate-key'],
    ['a key twice, one escaped', '{"a":1,"\\u0061":2}', 'duplicate-key'],
    ['a key twice, deep', '[{"x":[{"b":{},"c":1,"b":null}]}]', 'duplicate-key'],
    ['a key twice among look-alikes in texts', '{"a":"\\":{","a":"x:y"}', 'duplicate-key'],
    ['an index twice', '{"1":0,"1":0}', 'duplicate-key'],
    ['a key that sets a prototype', '{"__proto__":{"admin":true}}', 'proto-key'],
    ['the same, escaped', '{"a":[{"\\u005f_proto__":1}]}', 'proto-key'],
    ['the same, twice', '{"__proto__":1,"__proto__":2}', 'proto-key'],
    ['a number out of range', '{"a":[1e999]}', 'number'],
    ['a number out of range alone', '-1e999', 'number'],
    ['one level too many', nested(65), 'depth'],
    ['far too many levels', nested(1_000_000), 'depth'],
    ['levels that never end', '{"a":'.repeat(1_000_000), 'depth'],
    ['brackets after an unfinished text', '"abc', 'syntax'],
    ['nothing', '', 'syntax'],
    ['a byte order mark', '\ufeff{}', 'syntax'],
    ['two values', '{} {}', 'syntax'],
    ['a trailing comma', '[1,]', 'syntax'],
    ['a comment', '{}//', 'syntax'],
    ['single quotes', "{'a':1}", 'syntax'],
    ['a leading zero', '01', 'syntax'],
    ['a plus sign', '+1', 'syntax'],
    ['a bare point', '1.', 'syntax'],
    ['hexadecimal', '0x10', 'syntax'],
    ['NaN', 'NaN', 'syntax'],
    ['a control character in a text', '"a\nb"', 'syntax'],
    ['a colon that is none', '[1:2]', 'syntax'],
    ['a wrong bracket', '[1}', 'syntax'],
    ['a non-breaking space', '\u00a0{}', 'syntax'],
  ];
  for (const [what, text, fault] of cases)
    it(what, () => assert.deepEqual(parseStrictJson(text, 64), { fault }));
});

describe('strict JSON takes', () => {
  const texts = [
    '{"a":{"a":{"a":[]}},"b":"a","":"__proto__","proto":"\\\\","c":"\\\\\\""}',
    '[{"a":1},{"a":1}]',
    '"__proto__"',
    nested(64),
    '{"constructor":1,"toString":2,"hasOwnProperty":3}',
    ' \t\r\n 1.5e3 ',
    'null',
  ];
  for (const text of texts) {
    it(text.slice(0, 40), () => assert.deepEqual(parseStrictJson(text, 64), { value: JSON.parse(text) }));
  }
  it('whatever JSON.stringify writes', () => {
    const written = fc
      .jsonValue({ maxDepth: 5 })
      .filter((value) => !JSON.stringify(value).includes('__proto__'));
    fc.assert(
      fc.property(written, fc.constantFrom(undefined, 1), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        assert.deepEqual(parseStrictJson(text, 64), { value: JSON.parse(text) });
      }),
    );
  });
});
