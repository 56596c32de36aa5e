import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { didYouMean, nearest } from './suggest.ts';

const POLICIES = [
  'acl',
  'api-key',
  'cors',
  'headers',
  'ip-list',
  'rate-limit',
  'security-headers',
  'validate',
];

describe('nearest', () => {
  const cases: readonly [word: string, best: string | undefined][] = [
    ['rate-limt', 'rate-limit'],
    ['ratelimit', 'rate-limit'],
    ['rate_limit', 'rate-limit'],
    ['Rate-Limit', 'rate-limit'],
    ['api-kye', 'api-key'],
    ['cor', 'cors'],
    ['alc', 'acl'],
    ['valdiate', 'validate'],
    ['jwt', undefined],
    ['', undefined],
    ['waf', undefined],
    ['completely-different', undefined],
  ];
  for (const [word, best] of cases) {
    it(`${word} → ${best}`, () => assert.equal(nearest(word, POLICIES), best));
  }

  it('takes the nearer of two', () =>
    assert.equal(nearest('methodes', ['mode', 'method', 'methods']), 'methods'));
  it('does not compare words of any length', () => {
    assert.equal(nearest('a'.repeat(65), ['a'.repeat(65)]), undefined);
  });
  it('asks in words', () => assert.equal(didYouMean('windw', ['window']), 'did you mean "window"?'));
});
