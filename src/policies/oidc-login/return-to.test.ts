import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { returnToOf, safeReturnTo } from './return-to.ts';

const ORIGIN = 'https://app.test';

/** Ways to lead a browser to another origin, as collected from reports about open redirects. */
const ELSEWHERE = [
  '',
  'evil.test',
  'https://evil.test',
  'https:evil.test',
  'https:/evil.test',
  'HTTPS://evil.test/',
  'http://app.test@evil.test/',
  '//evil.test',
  '///evil.test',
  '////evil.test/..',
  '//evil.test\\@app.test',
  '/\\evil.test',
  '/\\/evil.test',
  '\\/evil.test',
  '\\\\evil.test',
  '/\t/evil.test',
  '/\n/evil.test',
  '/\r\nSet-Cookie: a=b',
  '\t//evil.test',
  ' //evil.test',
  '/ /evil.test',
  '/%09/evil.test',
  '/%0a/evil.test',
  '/%0D%0ASet-Cookie:a=b',
  '/%2f/evil.test',
  '/%2Fevil.test',
  '/%5cevil.test',
  '/%5C/evil.test',
  '/.//evil.test',
  '/..//evil.test',
  '/a/..//evil.test',
  '/./\\evil.test',
  '/\u2028/evil.test',
  '/\u3002evil.test',
  '/\uff0fevil.test',
  '/ünïcode',
  '/\u0000',
  'javascript:alert(1)',
  'data:text/html,x',
  '?next=//evil.test',
  '#//evil.test',
  './evil',
  '@evil.test',
  ':80',
  `/${'a'.repeat(1500)}`,
];

const HERE = [
  '/',
  '/orders/1',
  '/orders?next=https://evil.test//x',
  '/orders?next=//evil.test#frag',
  '/a//b',
  '/a%2Fb',
  '/@evil.test',
  '/:80',
  '/https://evil.test',
  '/a\'b"c<d>',
  '/~user/?q=%5C',
];

describe('a way back', () => {
  for (const target of ELSEWHERE)
    it(`never leads by ${JSON.stringify(target).slice(0, 50)}`, () => {
      assert.equal(safeReturnTo(target, ORIGIN), undefined);
    });

  for (const target of HERE)
    it(`leads by ${target}`, () => {
      assert.equal(safeReturnTo(target, ORIGIN), target);
    });

  it('stays at its origin, whatever it is made of', () => {
    const piece = fc.constantFrom(
      '/',
      '\\',
      '.',
      '..',
      '%2f',
      '%5c',
      '\t',
      '\n',
      '@',
      ':',
      'evil.test',
      'https:',
      '?',
      '#',
      'a',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const target = safeReturnTo(pieces.join(''), ORIGIN);
        if (target === undefined) return;
        assert.equal(new URL(target, `${ORIGIN}/deep/page`).origin, ORIGIN);
        assert.equal(new URL(ORIGIN + target).origin, ORIGIN);
        assert.ok(!new URL(target, ORIGIN).pathname.startsWith('//'));
      }),
      { numRuns: 5000 },
    );
  });
});

describe('the way back to what was asked for', () => {
  const CASES: readonly (readonly [path: string, query: string, expected: string])[] = [
    ['/orders', 'page=2', '/orders?page=2'],
    ['/orders', '', '/orders'],
    ['/orders', 'q='.padEnd(1600, 'x'), '/orders'],
    ['/'.padEnd(1600, 'x'), '', '/'],
    ['//evil.test', 'a=1', '/'],
    ['*', '', '/'],
  ];
  for (const [path, query, expected] of CASES)
    it(`of ${path.slice(0, 20)}?${query.slice(0, 10)} is ${expected.slice(0, 20)}`, () => {
      assert.equal(returnToOf(path, query, ORIGIN), expected);
    });
});
