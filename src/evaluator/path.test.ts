import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { normalisePath, type PathRules } from './path.ts';

const STRICT: PathRules = { encodedSlashes: 'reject', semicolons: 'reject' };
const LENIENT: PathRules = { encodedSlashes: 'keep', semicolons: 'keep' };

function normalise(raw: string, rules = STRICT): string {
  const result = normalisePath(raw, rules);
  return 'path' in result ? result.path : result.refusal;
}

describe('refused', () => {
  const cases: [raw: string, strict: string, lenient?: string][] = [
    ['', 'path-not-absolute'],
    ['a', 'path-not-absolute'],
    ['*', 'path-not-absolute'],
    ['%2fa', 'path-not-absolute'],
    ['/a b', 'path-character'],
    ['/a\x00', 'path-character'],
    ['/a\x7f', 'path-character'],
    ['/é', 'path-character'],
    ['/a#b', 'path-character'],
    ['/a\\b', 'path-backslash'],
    ['/..\\admin', 'path-backslash'],
    ['/a%5cb', 'path-backslash'],
    ['/a%5Cb', 'path-backslash'],
    ['/%', 'path-encoding'],
    ['/%4', 'path-encoding'],
    ['/%zz', 'path-encoding'],
    ['/%%34%31', 'path-encoding'],
    ['/%u0041', 'path-encoding'],
    ['/a%00', 'path-encoded-control'],
    ['/a%0d%0aX', 'path-encoded-control'],
    ['/a%7f', 'path-encoded-control'],
    ['/a%2fb', 'path-encoded-slash', '/a%2Fb'],
    ['/a%2Fb', 'path-encoded-slash', '/a%2Fb'],
    ['/a%2f..%2fb', 'path-encoded-slash', 'path-encoded-slash'],
    ['/a/..%2fb', 'path-encoded-slash', 'path-encoded-slash'],
    ['/a%2f%2e%2e', 'path-encoded-slash', 'path-encoded-slash'],
    ['/a%2f.', 'path-encoded-slash', 'path-encoded-slash'],
    ['/a;b=c', 'path-semicolon', '/a;b=c'],
    ['/a%3bb', 'path-semicolon', '/a%3Bb'],
    ['/a/..;/b', 'path-semicolon', 'path-semicolon'],
    ['/a/.;x/b', 'path-semicolon', 'path-semicolon'],
    ['/a/%2e%2e;/b', 'path-semicolon', 'path-semicolon'],
    ['/a/..%3b/b', 'path-semicolon', 'path-semicolon'],
    ['/a%2f..;x', 'path-semicolon'],
    ['/..', 'path-above-root'],
    ['/../etc', 'path-above-root'],
    ['/a/../..', 'path-above-root'],
    ['/%2e%2e/a', 'path-above-root'],
    ['//..', 'path-above-root'],
    ['/./../a', 'path-above-root'],
    ['/%252e%252e/a', 'path-double-encoding'],
    ['/a%252fb', 'path-double-encoding'],
    ['/a%255cb', 'path-double-encoding'],
    ['/a%2500', 'path-double-encoding'],
    ['/a%253b', 'path-double-encoding'],
    ['/%25252e', 'path-double-encoding'],
    ['/%2561dmin', 'path-double-encoding'],
    ['/%25%32%65%25%32%65/a', 'path-double-encoding'],
    ['/%252%65/a', 'path-double-encoding'],
    ['/%25%32e/a', 'path-double-encoding'],
    ['/a%25%32%66b', 'path-double-encoding'],
    ['/%c0%ae%c0%ae/a', 'path-encoding'],
    ['/a%c0%afb', 'path-encoding'],
    ['/a%C1%9Cb', 'path-encoding'],
    ['/a%e0%80%afb', 'path-encoding'],
    ['/%e0%80%ae/a', 'path-encoding'],
    ['/a%f0%80%80%afb', 'path-encoding'],
  ];
  for (const [raw, strict, lenient = strict] of cases) {
    it(JSON.stringify(raw), () => {
      assert.equal(normalise(raw), strict);
      assert.equal(normalise(raw, LENIENT), lenient);
    });
  }
});

describe('one path, whatever its spelling', () => {
  const cases: [raw: string, path: string][] = [
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/', '/a/b/'],
    ['//', '/'],
    ['//a', '/a'],
    ['/a//b', '/a/b'],
    ['/a/./b', '/a/b'],
    ['/./a', '/a'],
    ['/a/.', '/a/'],
    ['/a/..', '/'],
    ['/a/../', '/'],
    ['/a/b/../c', '/a/c'],
    ['/public/../admin', '/admin'],
    ['/public/%2e%2e/admin', '/admin'],
    ['/public/.%2E/admin', '/admin'],
    ['/public//%2e/../admin', '/admin'],
    ['/%61dm%69n', '/admin'],
    ['/%7Euser/%2D%5F', '/~user/-_'],
    ['/a%3fb', '/a%3Fb'],
    ['/a%20b', '/a%20b'],
    ['/caf%c3%a9', '/caf%C3%A9'],
    ['/latin%e9', '/latin%E9'],
    ['/%e0%a4%a9', '/%E0%A4%A9'],
    ['/100%25', '/100%25'],
    ['/a%2520b', '/a%2520b'],
    // Not a dot segment, and not the same as without it; case counts as well.
    ['/admin.', '/admin.'],
    ['/...', '/...'],
    ['/..a', '/..a'],
    ['/.a', '/.a'],
    ['/Admin', '/Admin'],
  ];
  for (const [raw, path] of cases) it(raw, () => assert.equal(normalise(raw), path));
});

const piece = fc.constantFrom(
  ...[
    '/',
    '.',
    '..',
    '//',
    'a',
    'A',
    '%2e',
    '%2E',
    '%2f',
    '%25',
    '%32',
    '%65',
    '2e',
    '%61',
    '%3b',
    ';',
    '%5c',
  ],
  ...['%c3%a9', '%e0', '%80', '%00', '%', '~', '%7e', '%20', 'z', '=', '%41'],
);
const raw = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);

describe('for any path', () => {
  for (const [name, rules] of Object.entries({ STRICT, LENIENT })) {
    it(`${name}: what comes out goes in unchanged, and hides nothing`, () => {
      fc.assert(
        fc.property(raw, (text) => {
          const result = normalisePath(text, rules);
          if ('refusal' in result) return;
          const { path } = result;
          assert.deepEqual(normalisePath(path, rules), { path });
          const segments = path.split('/');
          assert.ok(!segments.some((s) => s === '.' || s === '..'), path);
          assert.ok(!segments.slice(1, -1).includes(''), path);
          for (const [, hex] of path.matchAll(/%(..)/g)) {
            assert.match(hex, /^[0-9A-F]{2}$/);
            assert.doesNotMatch(String.fromCharCode(Number.parseInt(hex, 16)), /[A-Za-z0-9._~\\-]/);
          }
          // A second decoding finds no dot segment either.
          const twice = path.replace(/%([0-9A-F]{2})/g, (_, hex) =>
            String.fromCharCode(Number.parseInt(hex, 16)),
          );
          assert.ok(!twice.split(/[/\\]/).some((s) => /^\.\.?(;|$)/.test(s)), path);
          assert.doesNotMatch(twice, /%(2e|2f|5c|00|3b|[46]1)/i);
        }),
        { numRuns: 3000 },
      );
    });
  }
});
