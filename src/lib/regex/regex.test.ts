import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { complement, enumerate, foldCase, SPACE, union, WORD } from './code-point-set.ts';
import { compileRegex, RegexError } from './index.ts';
import { parseRegex } from './parse.ts';
import { printRegex } from './print.ts';
import { shorten } from './shorten.ts';

const { RE2JS }: typeof import('re2js') = createRequire(import.meta.url)('re2js');

/** Far above what a linear run takes here, far below what a blow-up takes. */
const DEADLINE_MS = 2_000;

describe('attacks: no pattern blows up on any text', () => {
  const patterns = [
    '(a+)+$',
    '^(a+)+$',
    '^(a|a)*$',
    '^(a|aa)+$',
    '^(a|b|ab)*c',
    '(.*a){20}',
    '^(.*?,){11}P',
    '(x+x+)+y',
    'a*a*a*a*a*b',
    '^(\\w+\\s?)*$',
    '^(?:a{1,9}){1,90}$',
    'foo(?:(a+)+b)*',
    '([\\s\\S]*)x$',
    '\\s+$',
    'a+b',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '^(?:a?){30}a{30}$',
    '^(a?b?)*$',
    '(?:a|a?)+$',
    '^(?:(?:a*)*)*b',
    '^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$',
    '(?:ab?)*(?:a?b)*c',
    '(a{0,5}){0,200}b',
    '<script[^>]*>',
    '(?:^|a)(a|aa)+$',
    '^(?:[a-z]+-?)*[0-9]$',
    '(?:\\ba*)*b',
    '^a*$|b*c',
  ];
  const texts = ['a', 'x', ' ', 'ab', ',', 'a@', '<script', '\u{1f600}', 'foo', 'aaab', '\n'].map(
    (part) => `${part.repeat(Math.floor(20_000 / part.length))}!`,
  );
  for (const pattern of patterns) {
    it(pattern, () => {
      const { test } = compileRegex(pattern);
      for (const text of texts) {
        try {
          runInNewContext('test(text)', { test, text }, { timeout: DEADLINE_MS });
        } catch (error) {
          // Refused for its length: bounded as well.
          if (!(error instanceof RegexError)) throw error;
        }
      }
    });
  }
  it('(?:a|ab|abc|aa|aab){1,1000}$ is too large', () => {
    assert.throws(() => compileRegex('(?:a|ab|abc|aa|aab){1,1000}$'), RegexError);
  });
  it('a text too long for its pattern is neither a match nor none', () => {
    const { test } = compileRegex('^(?:a?b?){1,400}$');
    assert.equal(test('ab'.repeat(300)), true);
    assert.throws(() => test('ab'.repeat(100_000)), RegexError);
  });
  it('the deadline of this table does stop a blow-up', () => {
    const test = (text: string) => /^(a|a)*$/.test(text);
    const run = () => runInNewContext('test(text)', { test, text: `${'a'.repeat(40)}!` }, { timeout: 100 });
    assert.throws(run, { code: 'ERR_SCRIPT_EXECUTION_TIMEOUT' });
  });
});

describe('engine', () => {
  const cases: [pattern: string, engine: string][] = [
    ['^[a-z0-9-]+$', 'v8'],
    ['^\\d{4}-\\d{2}-\\d{2}$', 'v8'],
    ['^[A-Z]{2,3}(-[a-z]+)*$', 'v8'],
    ['^.{1,2048}$', 'v8'],
    ['union\\s+select', 'v8'],
    ['foo|foobar|fool', 'v8'],
    ['[a-z]+', 'v8'],
    ['a+b', 're2js'],
    ['^(a+)+$', 're2js'],
    ['^(?:a{1,9}){1,9}$', 're2js'],
    ['^(a|ab)*c$', 're2js'],
    ['(?:a?)*b', 're2js'],
  ];
  for (const [pattern, engine] of cases) {
    it(`${pattern} runs in ${engine}`, () => assert.equal(compileRegex(pattern).engine, engine));
  }
});

describe('refused', () => {
  const cases: [pattern: string, flags?: string][] = [
    ['(?=a)b'],
    ['(?!a)b'],
    ['(?<=a)b'],
    ['(?<!a)b'],
    ['(a)\\1'],
    ['(?<n>a)\\k<n>'],
    ['(a'],
    ['a)'],
    ['[a'],
    ['*a'],
    ['a**'],
    ['a{2'],
    ['a{3,2}'],
    ['[z-a]'],
    ['[\\d-z]'],
    ['\\q'],
    ['\\u{110000}'],
    ['\\xg1'],
    ['\\'],
    ['\\p{Nonsense}'],
    ['a', 'g'],
    ['^a', 'm'],
    ['(?:a*b){1001}a+c'],
    ['('.repeat(200)],
    ['a'.repeat(20_000)],
    ['\\01'],
    ['(?i)a'],
  ];
  for (const [pattern, flags] of cases) {
    it(`${pattern.slice(0, 30)} ${flags ?? ''}`, () =>
      assert.throws(() => compileRegex(pattern, flags), RegexError));
  }
});

/** What `$` means without the m flag (ECMA-262 §22.2.2.4): V8 14.6 itself gets it wrong behind astral characters. */
const NOTHING_FOLLOWS = '(?![^])';

/** What the pattern says in V8 itself, in our words for V8, and in our words for RE2. */
function verdicts(pattern: string, flags: string, text: string): Record<string, boolean> {
  const node = shorten(parseRegex(pattern, flags));
  return {
    native: new RegExp(pattern.replaceAll('$', NOTHING_FOLLOWS), `${flags}u`).test(text),
    v8: new RegExp(printRegex(node, 'v8', pattern), 'u').test(text),
    re2: RE2JS.compile(printRegex(node, 're2', pattern)).test(text),
    ours: compileRegex(pattern, flags).test(text),
  };
}

function agree(pattern: string, flags: string, text: string): void {
  const { native, ...others } = verdicts(pattern, flags, text);
  assert.deepEqual(
    others,
    { v8: native, re2: native, ours: native },
    `${pattern} /${flags} ${JSON.stringify(text)}`,
  );
}

describe('meaning is that of the u mode of ECMA-262, in either engine', () => {
  const cases: [pattern: string, flags: string, texts: string[]][] = [
    ['a$', '', ['a', 'a\n', 'ba']],
    ['.$', '', ['\u{1f600}', 'b\u{1f600}', 'a\n']],
    ['[^a]$', '', ['\u{1f600}', 'b\u{1f600}', 'a']],
    ['[^a]{2}$|\u{1f600}?b$', '', ['\u{1f600}\u{1f600}', '\u{1f600}b', 'a']],
    ['^a.c$', '', ['abc', 'a\nc', 'a\u2028c', 'a\rc', 'a\u{1f600}c', 'a\ud83dc']],
    ['^a.c$', 's', ['a\nc', 'a\u2028c']],
    ['^\\s+$', '', ['\u00a0', '\u000b', '\ufeff', ' \t', '\u180e', '\u0085']],
    ['^\\S$', 'i', ['\u00a0', 'a', 'K']],
    ['^k$', 'i', ['k', 'K', '\u212a', 'x']],
    ['^[^s]$', 'i', ['s', 'S', '\u017f', 'x']],
    ['^\\w$', 'i', ['\u017f', '\u212a', 'é']],
    ['^\\W$', 'i', ['\u017f', 's', 'é']],
    ['^[À-Þ]$', 'i', ['é', 'É', 'e']],
    ['^\\p{L}+$', '', ['aé漢', 'a1', 'ſ']],
    ['^\\P{L}$', '', ['a', '1']],
    ['^\\u{1f600}|\\ud83d\\ude00x$', '', ['\u{1f600}', '\u{1f600}x', '\ud83d']],
    ['^[\\b]$', '', ['\b', 'b']],
    ['[]', '', ['', 'a']],
    ['^[^]$', '', ['\n', '\u{1f600}', '']],
    ['^[a-]$|^[\\]^]$', '', ['-', 'a', 'b', ']', '^']],
    ['^\\cA\\x41\\u0042\\t\\0$', '', ['\u0001AB\t\0', 'A']],
    ['\\bfoo\\b|x\\Bx', '', ['a foo b', 'afoo', 'xx', 'x x']],
    ['^(?<year>\\d{4})(?:-(\\d\\d))?$', '', ['2026', '2026-11', '2026-1']],
    ['^$|^a{0}b{2,}c{1,2}?$', '', ['', 'bbc', 'bbcc', 'bc', 'abbc']],
    ['', '', ['', 'a']],
    ['(?:ab*)*c|', '', ['abbabc', 'c', '']],
  ];
  for (const [pattern, flags, texts] of cases) {
    it(`${pattern} ${flags}`, () => {
      for (const text of texts) agree(pattern, flags, text);
    });
  }

  it('for generated patterns and texts', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\s', '\\W', 'é', '^', '$', '\\b');
    const { pattern } = fc.letrec<{ pattern: string; term: string }>((tie) => ({
      term: fc.oneof(
        { maxDepth: 3 },
        atom,
        fc
          .tuple(tie('pattern'), fc.constantFrom('', '*', '+?', '?', '{2}', '{1,3}'))
          .map(([p, q]) => `(?:${p})${q}`),
      ),
      pattern: fc.oneof(
        { maxDepth: 3 },
        fc.array(tie('term'), { minLength: 1, maxLength: 3 }).map((terms) => terms.join('')),
        fc.tuple(tie('pattern'), tie('pattern')).map((options) => options.join('|')),
      ),
    }));
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', 'A', '1', ' ', '\n', 'é', '\u{1f600}'),
      maxLength: 8,
    });
    const flags = fc.constantFrom('', 'i', 's');
    fc.assert(fc.property(pattern, flags, text, agree), { numRuns: 1_500 });
  });
});

describe('sets of code points', () => {
  it('fold as V8 does, by whichever way', () => {
    for (const set of [
      WORD,
      SPACE,
      complement(SPACE),
      complement([0x6b, 0x6b]),
      union([0x3b1, 0x3c9], [0x61, 0x61]),
    ]) {
      const text = `[${set.map((p) => `\\u{${p.toString(16)}}`).reduce((t, p, i) => t + (i % 2 ? '-' : '') + p, '')}]`;
      assert.deepEqual(foldCase(set), enumerate(text, 'iu'));
    }
  });
});

describe('escapes', () => {
  it('takes a backslash before any ASCII punctuation', () => {
    assert.equal(compileRegex('^\\-\\"\\/\\ \\#[\\-\\.]$').test('-"/ #.'), true);
  });
});
