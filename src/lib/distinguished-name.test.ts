import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type DistinguishedName,
  formatDistinguishedName,
  nameKey,
  parseDistinguishedName,
  readPrintedName,
  valuesOf,
} from './distinguished-name.ts';

const told = (name: DistinguishedName | undefined) =>
  name?.map((set) => set.map(({ type, value }) => [type, value]));

describe('parseDistinguishedName', () => {
  const refused = [
    'orders',
    'CN',
    '=orders',
    'CN=a,',
    ',CN=a',
    'CN=a,,O=b',
    'CN=a;O=b',
    'CN="a,b"',
    'CN=a"b',
    'CN=a<b',
    'CN=a>b',
    'CN=a\\',
    'CN=a\\x',
    'CN=\\C3',
    'CN=\\FF\\FE',
    'CN=#04024869',
    'C N=a',
    'CN=a+',
    '+CN=a',
    '1.2.=a',
    '1=a',
    `CN=${'x'.repeat(2048)}`,
  ];
  for (const text of refused) {
    it(`refuses ${text.slice(0, 30)}`, () => assert.equal(parseDistinguishedName(text), undefined));
  }

  const read: readonly (readonly [text: string, name: string[][][]])[] = [
    ['', []],
    ['CN=orders,O=Example', [[['CN', 'orders']], [['O', 'Example']]]],
    [' CN = orders , O = Example ', [[['CN', 'orders']], [['O', 'Example']]]],
    ['CN=orders\\,O=Admin', [[['CN', 'orders,O=Admin']]]],
    ['CN=a\\+OU=b', [[['CN', 'a+OU=b']]]],
    [
      'CN=a+OU=b',
      [
        [
          ['CN', 'a'],
          ['OU', 'b'],
        ],
      ],
    ],
    ['CN=a=b', [[['CN', 'a=b']]]],
    ['CN=', [[['CN', '']]]],
    ['CN=\\ a\\ ', [[['CN', ' a ']]]],
    ['CN=a\\\\ ', [[['CN', 'a\\']]]],
    ['CN=\\#1', [[['CN', '#1']]]],
    ['CN=a#1', [[['CN', 'a#1']]]],
    ['CN=Lu\\C4\\8Di\\C4\\87', [[['CN', 'Lučić']]]],
    ['CN=Lučić 😀', [[['CN', 'Lučić 😀']]]],
    ['CN=a\\00b', [[['CN', 'a\0b']]]],
    ['CN=\u00a0a\u00a0', [[['CN', '\u00a0a\u00a0']]]],
    ['2.5.4.97=x', [[['2.5.4.97', 'x']]]],
  ];
  for (const [text, name] of read) {
    it(`reads ${text}`, () => assert.deepEqual(told(parseDistinguishedName(text)), name));
  }
});

describe('readPrintedName', () => {
  const cases: readonly (readonly [printed: string, text: string | undefined])[] = [
    ['O=Example\nCN=orders', 'CN=orders,O=Example'],
    ['O=Example\nCN=orders\\,O=Admin', 'CN=orders\\,O=Admin,O=Example'],
    ['CN=new\\0Aline', 'CN=new\\0Aline'],
    ['C=DE\nOU=a + CN=multi\nUID=u1', 'UID=u1,OU=a+CN=multi,C=DE'],
    ['CN=a \\+ O=b', 'CN=a \\+ O=b'],
    ['CN=\\ lead trail\\ ', 'CN=\\ lead trail\\ '],
    ['CN=\\#hash\nDC=example', 'DC=example,CN=\\#hash'],
    ['O=Exämple', 'O=Exämple'],
    ['', ''],
    // What Node never prints is not guessed at.
    ['CN=a,O=b', undefined],
    ['CN=a\n', undefined],
    ['CN="a"', undefined],
    ['orders', undefined],
  ];
  for (const [printed, text] of cases) {
    it(`reads ${JSON.stringify(printed)}`, () => {
      const name = readPrintedName(printed);
      assert.equal(name === undefined ? undefined : formatDistinguishedName(name), text);
    });
  }
});

describe('nameKey', () => {
  const same: readonly (readonly [a: string, b: string])[] = [
    ['CN=a,O=b', 'cn=a, o=b'],
    ['CN=a+OU=b', 'OU=b+CN=a'],
    ['CN=\\41', 'CN=A'],
    ['emailAddress=x@y', 'EMAILADDRESS=x@y'],
  ];
  const different: readonly (readonly [a: string, b: string])[] = [
    ['CN=a,O=b', 'O=b,CN=a'],
    ['CN=a', 'CN=A'],
    ['CN=a\\,O=b', 'CN=a,O=b'],
    ['CN=a+O=b', 'CN=a,O=b'],
    ['CN=a', 'CN=a,O=b'],
    ['CN=\\ a', 'CN=a'],
    ['CN=a\\00', 'CN=a'],
  ];
  const key = (text: string): string => nameKey(parseDistinguishedName(text) ?? assert.fail(text));
  for (const [a, b] of same) it(`${a} is ${b}`, () => assert.equal(key(a), key(b)));
  for (const [a, b] of different) it(`${a} is not ${b}`, () => assert.notEqual(key(a), key(b)));
});

describe('formatDistinguishedName', () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.string({ unit: fc.constantFrom(...' ,+"\\<>;#=\0\nab'), maxLength: 10 }),
  );
  const attribute = fc.record({ type: fc.constantFrom('CN', 'O', 'UID', '1.2.3'), value });
  const name = fc.array(fc.array(attribute, { minLength: 1, maxLength: 3 }), { maxLength: 4 });

  it('writes what is read back, and nothing a header cannot carry but letters of the world', () => {
    fc.assert(
      fc.property(name, (one) => {
        const text = formatDistinguishedName(one);
        assert.doesNotMatch(text, /\p{Cc}/u);
        assert.deepEqual(told(parseDistinguishedName(text)), told(one));
      }),
      { numRuns: 3000 },
    );
  });

  it('finds values whatever they hold', () => {
    const read = parseDistinguishedName('CN=a,O=CN\\=b\\,CN=c,cn=d') ?? assert.fail();
    assert.deepEqual(valuesOf(read, 'CN'), ['a', 'd']);
    const hidden = parseDistinguishedName('CN=a\\,CN=b') ?? assert.fail();
    assert.deepEqual(valuesOf(hidden, 'CN'), ['a,CN=b']);
  });

  it('never throws, whatever it is to read', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'CN=,+\\ "#0Aé\n'), maxLength: 30 }), (text) => {
        for (const read of [parseDistinguishedName(text), readPrintedName(text)]) {
          if (read !== undefined) assert.ok(parseDistinguishedName(formatDistinguishedName(read)));
        }
      }),
      { numRuns: 5000 },
    );
  });
});
